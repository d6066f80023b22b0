using System.Text.Json;
using System.Text.Unicode;

namespace Portable.Checkpoints;

/// <summary>Reads the small files beside the weights. Only plain names are opened, so that nothing outside the folder is.</summary>
internal static class ModelFolder
{
    // Names that Windows gives to devices, whatever the extension.
    private static readonly string[] DeviceNames = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

    /// <summary>Whether a name from an untrusted file is the name of a file in the same folder on every operating system.</summary>
    public static bool IsPlainName(string name)
    {
        if (name.Length is 0 or > 255 || name[^1] is '.' or ' ')
            return false;
        foreach (char c in name)
        {
            if (char.IsControl(c) || c is '/' or '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|')
                return false;
        }

        string stem = name.Split('.')[0].TrimEnd(' ');
        bool isPort = stem.Length == 4 && char.IsDigit(stem[3])
            && (stem.StartsWith("COM", StringComparison.OrdinalIgnoreCase) || stem.StartsWith("LPT", StringComparison.OrdinalIgnoreCase));
        return !isPort && !DeviceNames.Contains(stem, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Reads a file whole; null where it does not exist.</summary>
    public static byte[]? TryRead(string path, long maximumBytes)
    {
        try
        {
            if (!File.Exists(path))
                return null;
            if (FileLength.Of(path) == 0)
                return [];
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            if (stream.Length > maximumBytes)
                throw new InvalidModelException(path, null, $"the file has {stream.Length:N0} bytes, at most {maximumBytes:N0} are read");
            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidModelException(path, null, $"the file cannot be read: {e.Message.TrimEnd('.')}", e);
        }
    }

    /// <summary>Reads the files of one extension in a folder, in ordinal order of their names; none where there is no such folder.</summary>
    public static IReadOnlyList<(string Name, byte[] Bytes)> ReadAll(string folder, string extension, int maximumFiles, long maximumBytes)
    {
        try
        {
            if (!Directory.Exists(folder))
                return [];
            // One more than allowed is enough to know: a folder may hold millions.
            string[] paths = [.. Directory.EnumerateFiles(folder)
                .Where(p => Path.GetExtension(p).Equals(extension, StringComparison.OrdinalIgnoreCase)).Take(maximumFiles + 1)];
            if (paths.Length > maximumFiles)
                throw new InvalidModelException(folder, null, $"it holds more than {maximumFiles} {extension} files");
            Array.Sort(paths, StringComparer.Ordinal);
            return [.. paths.Select(p => (Path.GetFileName(p), TryRead(p, maximumBytes) ?? throw new InvalidModelException(p, null, "the file vanished while it was read")))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidModelException(folder, null, $"the folder cannot be read: {e.Message.TrimEnd('.')}", e);
        }
    }

    /// <summary>
    /// Parses a JSON object strictly: no comments, 64 levels, and every string in it can be read. A byte order mark, which
    /// editors leave behind, is passed over.
    /// </summary>
    public static JsonElement ParseObject(string path, ReadOnlyMemory<byte> json, bool allowsDuplicates = false)
    {
        if (json.Span.StartsWith("\uFEFF"u8))
            json = json[3..];
        try
        {
            CheckStrings(json.Span);
            var options = new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = allowsDuplicates };
            using JsonDocument document = JsonDocument.Parse(json, options);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document.RootElement.Clone();
            throw new InvalidModelException(path, null, $"the file holds a JSON {document.RootElement.ValueKind}, expected an object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidModelException(path, null, $"the file is not valid JSON: {e.Message.TrimEnd('.')}", e);
        }
    }

    // The parser looks into strings only when they are asked for, and would then throw where nobody expects it.
    private static void CheckStrings(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 64 });
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
                continue;
            if (reader.ValueIsEscaped)
                reader.GetString();
            else if (!Utf8.IsValid(reader.ValueSpan))
                throw new JsonException($"the string at byte {reader.TokenStartIndex} is not UTF-8");
        }
    }
}
