using System.Text.Json;
using Microsoft.Extensions.AI;
using Portable.Decoding;
using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Models;

/// <summary>Finds the vision-language checkpoints among the fixtures, and reads their goldens.</summary>
internal static class VisionCases
{
    /// <summary>One NUnit case for each case of each checkpoint; what is not supported is ignored by name.</summary>
    public static IEnumerable<TestCaseData> All()
    {
        bool any = false;
        foreach ((string folder, JsonElement index) in Checkpoints())
        {
            any = true;
            string family = index.GetProperty("model_type").GetString()!;
            foreach (JsonProperty one in index.GetProperty("cases").EnumerateObject())
            {
                TestCaseData test = new TestCaseData(folder, one.Name).SetArgDisplayNames(Path.GetFileName(folder), one.Name);
                if (VisionFamily.OfModelType(family) is null)
                    test.Ignore($"not supported yet: family {family}");
                yield return test;
            }
        }

        if (!any)
            yield return Fixtures.Absent("checkpoints with images");
    }

    /// <summary>One NUnit case for each checkpoint of a supported family.</summary>
    public static IEnumerable<TestCaseData> Models()
    {
        bool any = false;
        foreach ((string folder, JsonElement index) in Checkpoints())
        {
            if (VisionFamily.OfModelType(index.GetProperty("model_type").GetString()!) is null)
                continue;
            any = true;
            yield return new TestCaseData(folder).SetArgDisplayNames(Path.GetFileName(folder));
        }

        if (!any)
            yield return Fixtures.Absent("checkpoints with images");
    }

    /// <summary>The golden of a case.</summary>
    public static JsonElement Golden(string folder, string name)
    {
        using JsonDocument json = Fixtures.Json(Path.Combine(folder, "golden.json"));
        return json.RootElement.GetProperty("cases").GetProperty(name).Clone();
    }

    /// <summary>The conversation of a case as a caller would write it, images as the bytes of their files.</summary>
    public static List<ChatMessage> Messages(JsonElement golden, GoldenTensors? tensors = null)
    {
        var messages = new List<ChatMessage>();
        foreach (JsonElement message in golden.GetProperty("messages").EnumerateArray())
        {
            JsonElement content = message.GetProperty("content");
            List<AIContent> parts = content.ValueKind == JsonValueKind.String
                ? [new TextContent(content.GetString())]
                : [.. content.EnumerateArray().Select(part => part.GetProperty("type").GetString() == "video" ? Video(golden, tensors!) : Part(part))];
            messages.Add(new ChatMessage(new ChatRole(message.GetProperty("role").GetString()!), parts));
        }

        return messages;
    }

    /// <summary>An image file of the fixtures as a part of a message.</summary>
    public static DataContent Image(string file) => new(Fixtures.Bytes(Fixtures.Find(file.Split('/'))!), "image/png");

    /// <summary>The frames of a golden, which it stores as pixels, as image files.</summary>
    private static VideoContent Video(JsonElement golden, GoldenTensors tensors)
    {
        JsonElement video = golden.GetProperty("video");
        string name = video.GetProperty("tensor").GetString()!;
        byte[] bytes = tensors.Bytes(name).ToArray();
        int[] shape = [.. tensors.Shape(name).Select(s => (int)s)];
        int each = shape[1] * shape[2] * shape[3];
        ReadOnlyMemory<byte>[] frames = [.. Enumerable.Range(0, shape[0]).Select(i => (ReadOnlyMemory<byte>)Bitmap(bytes.AsSpan(i * each, each), shape[2], shape[1]))];
        return new VideoContent(frames, video.GetProperty("fps").GetDouble());
    }

    // A bitmap of 24 bits: rows from the bottom, blue first, each filled up to four bytes.
    private static byte[] Bitmap(ReadOnlySpan<byte> rgb, int width, int height)
    {
        int stride = ((3 * width) + 3) / 4 * 4;
        byte[] file = new byte[54 + (stride * height)];
        file[0] = (byte)'B';
        file[1] = (byte)'M';
        BitConverter.TryWriteBytes(file.AsSpan(2), file.Length);
        BitConverter.TryWriteBytes(file.AsSpan(10), 54);
        BitConverter.TryWriteBytes(file.AsSpan(14), 40);
        BitConverter.TryWriteBytes(file.AsSpan(18), width);
        BitConverter.TryWriteBytes(file.AsSpan(22), height);
        file[26] = 1;
        file[28] = 24;
        BitConverter.TryWriteBytes(file.AsSpan(34), stride * height);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                int from = 3 * ((y * width) + x), to = 54 + ((height - 1 - y) * stride) + (3 * x);
                (file[to], file[to + 1], file[to + 2]) = (rgb[from + 2], rgb[from + 1], rgb[from]);
            }
        }

        return file;
    }

    private static AIContent Part(JsonElement part) => part.GetProperty("type").GetString() switch
    {
        "text" => new TextContent(part.GetProperty("text").GetString()),
        "image_url" => Image(part.GetProperty("image_url").GetProperty("url").GetString()!),
        var other => throw new NotSupportedException($"a part of type {other}"),
    };

    private static IEnumerable<(string Folder, JsonElement Index)> Checkpoints()
    {
        if (Fixtures.Find("checkpoints") is not { } root)
            yield break;
        foreach (string folder in Directory.EnumerateDirectories(root).Order(StringComparer.Ordinal))
        {
            string golden = Path.Combine(folder, "golden.json");
            if (!File.Exists(golden))
                continue;
            using JsonDocument json = Fixtures.Json(golden);
            if (json.RootElement.TryGetProperty("cases", out JsonElement cases) && cases.ValueKind == JsonValueKind.Object)
                yield return (folder, json.RootElement.Clone());
        }
    }
}
