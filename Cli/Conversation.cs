using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.AI;
using Portable.Checkpoints;
using Portable.Decoding;

namespace Portable.Cli;

/// <summary>
/// The messages so far and the next answer to them: streamed to the output as it comes, kept for the turn after it.
/// </summary>
internal sealed class Conversation(CliConsole console, ModelSession session, ChatOptions options, string? system)
{
    private const long MostImageBytes = 512L << 20;

    private readonly List<ChatMessage> _messages = system is null ? [] : [new ChatMessage(ChatRole.System, system)];
    private readonly List<string> _imageFiles = [];

    /// <summary>Whether the answer is written out while it is produced.</summary>
    public bool IsStreamed { get; init; } = true;

    /// <summary>Forgets all turns but the system message.</summary>
    public void Reset()
    {
        _messages.RemoveAll(static m => m.Role != ChatRole.System);
        _imageFiles.Clear();
    }

    /// <summary>Reads an image file, which a person named, for a message.</summary>
    /// <param name="file">The file.</param>
    /// <param name="advice">What else a name that is no file's may mean; empty for nothing.</param>
    public static DataContent ReadImage(string file, string advice = "")
    {
        if (Directory.Exists(file))
            throw new InvalidInputException(file, "it is a folder, expected an image file");
        if (!File.Exists(file))
            throw new InvalidInputException(file, $"no such image file{advice}");
        try
        {
            long length = FileLength.Of(file);
            if (length is 0 or > MostImageBytes)
                throw new InvalidInputException(file, length == 0 ? "the image file is empty" : $"it has {length} bytes, expected an image of at most {MostImageBytes}");
            return new DataContent(File.ReadAllBytes(file), MediaType(file));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(file, $"the image file cannot be read: {error.Message.TrimEnd('.')}", error);
        }
    }

    /// <summary>Reads an animated GIF or WebP file, which a person named, as a video for a message.</summary>
    public static VideoContent ReadVideo(string file) => VideoContent.FromAnimation(ReadImage(file).Data);

    /// <summary>Asks, and returns the answer; one that was cancelled is returned as far as it came.</summary>
    public async Task<AnswerReport> AskAsync(
        string question, IReadOnlyList<AIContent> images, IReadOnlyList<string> imageFiles, CancellationToken cancellation)
    {
        int before = _messages.Count;
        _messages.Add(new ChatMessage(ChatRole.User, [.. images, new TextContent(question)]));
        _imageFiles.AddRange(imageFiles);
        try
        {
            return await AnswerAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            _messages.RemoveRange(before, _messages.Count - before);
            string? file = error is InvalidInputException input ? FileOf(input) : null;
            _imageFiles.RemoveRange(_imageFiles.Count - imageFiles.Count, imageFiles.Count);
            if (file is null)
                throw;
            throw new InvalidInputException(file, ((InvalidInputException)error).Problem, error);
        }
    }

    private async Task<AnswerReport> AnswerAsync(CancellationToken cancellation)
    {
        var text = new StringBuilder();
        var reasoning = new StringBuilder();
        var shown = new AnswerText(console);
        UsageDetails? usage = null;
        Generation? generation = null;
        string finish = "cancelled";
        long begin = Stopwatch.GetTimestamp();
        try
        {
            await foreach (ChatResponseUpdate update in session.Chat.GetStreamingResponseAsync(_messages, options, cancellation).ConfigureAwait(false))
            {
                foreach (AIContent content in update.Contents)
                {
                    switch (content)
                    {
                        case TextReasoningContent thought:
                            reasoning.Append(thought.Text);
                            if (IsStreamed)
                                shown.WriteReasoning(thought.Text);
                            break;
                        case TextContent piece:
                            text.Append(piece.Text);
                            if (IsStreamed)
                                shown.Write(piece.Text);
                            break;
                        case UsageContent counted:
                            usage = counted.Details;
                            break;
                    }
                }

                generation = update.RawRepresentation as Generation ?? generation;
                if (update.FinishReason is { } reason)
                    finish = reason.Value;
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // What has come so far is shown and kept; the caller sees "cancelled".
        }
        finally
        {
            if (IsStreamed)
                shown.End();
        }

        _messages.Add(new ChatMessage(ChatRole.Assistant, text.ToString()));
        PortableModel model = session.Model;
        long prompt = usage?.InputTokenCount ?? 0, cached = usage?.CachedInputTokenCount ?? 0, output = usage?.OutputTokenCount ?? 0;
        return new AnswerReport(
            model.ModelId,
            model.Architecture,
            model.DeviceInfo.Id,
            CliJson.Name(model.Numerics),
            text.ToString(),
            reasoning.Length == 0 ? null : reasoning.ToString(),
            finish,
            new UsageReport(prompt, cached, output, usage?.ReasoningTokenCount ?? 0),
            new TimingReport(
                CliJson.Round(session.LoadTime.TotalSeconds),
                CliJson.Round(generation?.PrefillTime.TotalSeconds ?? 0),
                CliJson.Round(generation?.DecodeTime.TotalSeconds ?? 0),
                CliJson.Round(Stopwatch.GetElapsedTime(begin).TotalSeconds),
                CliJson.Rate(prompt - cached, generation?.PrefillTime),
                CliJson.Rate(output - 1, generation?.DecodeTime)));
    }

    /// <summary>The engine counts a conversation's images; a person knows them by their files.</summary>
    private string? FileOf(InvalidInputException error) =>
        error.Input.StartsWith("image ", StringComparison.Ordinal)
        && int.TryParse(error.Input.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        && number >= 1 && number <= _imageFiles.Count
            ? _imageFiles[number - 1]
            : null;

    // Only a label: the decoder goes by the bytes.
    private static string MediaType(string file) => Path.GetExtension(file).ToLowerInvariant() switch
    {
        ".jpg" or ".jpeg" => "image/jpeg",
        ".gif" => "image/gif",
        ".webp" => "image/webp",
        ".bmp" => "image/bmp",
        _ => "image/png",
    };
}
