using System.CommandLine;
using System.Globalization;
using System.Text;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Tokenization;

namespace Portable.Cli.Commands;

/// <summary>Text to ids and pieces, or ids to text, by a model's own tokenizer; no weights are read.</summary>
internal static class TokenizeCommand
{
    private const int MostChars = 64 << 20;

    public static Command Create(CliConsole console)
    {
        var command = new Command("tokenize", "Show the tokens of a text, or with --ids the text of tokens.");
        var words = new Argument<string[]>("text")
        {
            Description = "The text, or ids with --ids; '-' reads stdin.",
            Arity = ArgumentArity.OneOrMore,
        };
        var ids = new Option<bool>("--ids") { Description = "The arguments are token ids, to be decoded." };
        var special = new Option<bool>("--special") { Description = "Special tokens written in the text are tokens; otherwise they are text." };
        command.Add(words);
        command.Add(ids);
        command.Add(special);
        CommandOptions options = new CommandOptions().AddModelPath(command).AddJson(command);
        command.SetAction(parsed =>
        {
            string path = options.ModelPath(parsed);
            string text = string.Join(' ', parsed.GetValue(words)!);
            if (text == "-")
                text = ReadAll(console);
            int[] given = parsed.GetValue(ids) ? ParseIds(text) : [];
            Tokenizer tokenizer = Load(path);
            foreach (int id in given)
            {
                if (tokenizer.TokenText(id) is null)
                    throw new InvalidInputException("option --ids", $"{id} is no token of the vocabulary of {tokenizer.VocabularySize}");
            }

            int[] tokens = parsed.GetValue(ids)
                ? given
                : tokenizer.Encode(text, addSpecialTokens: false, parsed.GetValue(special) ? SpecialTokens.Parse : SpecialTokens.AsText);
            var report = new TokensReport(
                tokenizer.Decode(tokens, skipSpecialTokens: false),
                [.. tokens.Select(id => new TokenReport(id, tokenizer.TokenText(id), Encoding.UTF8.GetString(tokenizer.TokenBytes(id)), tokenizer.IsSpecial(id)))]);
            if (options.IsJson(parsed))
                CliJson.Write(console, report, CliJson.Indented.TokensReport);
            else if (parsed.GetValue(ids))
                console.Output.WriteLine(report.Text);
            else
                Write(console, report);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Write(CliConsole console, TokensReport report)
    {
        var table = new Report("Id", "Token", "Text");
        foreach (TokenReport token in report.Tokens)
            table.Add(token.Id.ToString(CultureInfo.InvariantCulture), token.Token ?? "", Quoted(token.Text));
        table.Write(console);
    }

    private static string Quoted(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal)}\"";

    /// <summary>A folder needs only its tokenizer.json here, which may also be named itself.</summary>
    private static Tokenizer Load(string path)
    {
        if (Directory.Exists(path))
            return Tokenizer.FromFile(Path.Combine(path, "tokenizer.json"));
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return Tokenizer.FromFile(path);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        return ModelFiles.ReadTokenizer(checkpoint);
    }

    private static int[] ParseIds(string text)
    {
        string[] parts = text.Split([' ', ',', '\n', '\r', '\t', '[', ']'], StringSplitOptions.RemoveEmptyEntries);
        var ids = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i]))
                throw new UsageException($"'{CommandOptions.Shorten(parts[i])}' is no token id.");
        }

        return ids;
    }

    private static string ReadAll(CliConsole console)
    {
        var buffer = new char[4096];
        var text = new StringBuilder();
        for (int count; (count = console.Input.Read(buffer, 0, buffer.Length)) > 0;)
        {
            text.Append(buffer, 0, count);
            if (text.Length > MostChars)
                throw new InvalidInputException("stdin", $"the text is longer than {MostChars} characters");
        }

        return text.ToString();
    }
}
