using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.AI;
using Spectre.Console;

namespace Portable.Cli.Commands;

/// <summary>Asks a model every question of a suite and counts the answers that match exactly.</summary>
internal static class EvalCommand
{
    private const int MostAnswerTokens = 24;

    public static Command Create(CliConsole console)
    {
        var command = new Command("eval", "Count a model's exactly right answers on a suite of questions about images, by category and language.");
        var suite = new Option<string>("--suite") { Description = "A suite's name ('imageqa') or folder.", DefaultValueFactory = static _ => "imageqa", HelpName = "name" };
        var limit = new Option<int?>("--limit") { Description = "Ask only so many, evenly spread.", HelpName = "n", CustomParser = static r => CommandOptions.Number(r, 1, int.MaxValue) };
        var wrong = new Option<bool>("--wrong") { Description = "Write each wrong answer to stderr." };
        command.Add(suite);
        command.Add(limit);
        command.Add(wrong);
        CommandOptions options = new CommandOptions().AddModel(command).AddJson(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            QuestionSuite questions = QuestionSuite.Open(parsed.GetValue(suite)!);
            await using ModelSession session = await ModelSession.LoadAsync(console, options.Settings(parsed, options.ModelPath(parsed)), cancellation).ConfigureAwait(false);
            EvalReport report = await AskAllAsync(console, session, questions, parsed.GetValue(limit), parsed.GetValue(wrong), cancellation).ConfigureAwait(false);
            if (options.IsJson(parsed))
                CliJson.Write(console, report, CliJson.Indented.EvalReport);
            else
                Write(console, report);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>The table: a row a category, then all of them.</summary>
    public static Report Table(EvalReport report)
    {
        var table = new Report(["exact match", .. report.Languages, "all", "questions"]);
        foreach (string? category in report.Scores.Select(static s => s.Category).Distinct().Append(null))
        {
            ScoreReport[] own = [.. report.Scores.Where(s => category is null || s.Category == category)];
            table.Add([category ?? "all", .. report.Languages.Select(l => Share(own.Where(s => s.Language == l))), Share(own), own.Sum(static s => s.Asked).ToString(CultureInfo.InvariantCulture)]);
        }

        return table;

        static string Share(IEnumerable<ScoreReport> scores)
        {
            int asked = scores.Sum(static s => s.Asked);
            return asked == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * scores.Sum(static s => s.Right) / asked:0.0} %");
        }
    }

    private static void Write(CliConsole console, EvalReport report)
    {
        Table(report).Write(console);
        console.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{report.Model}: {report.Right} of {report.Asked} questions of {report.Suite} right, {report.Numerics} numerics on {report.Device}, {report.Seconds:0.0} s"));
    }

    private static async Task<EvalReport> AskAllAsync(
        CliConsole console, ModelSession session, QuestionSuite suite, int? limit, bool showsWrong, CancellationToken cancellation)
    {
        SuiteQuestion[] asked = [.. suite.Questions];
        if (limit is { } most && most < asked.Length)
            asked = [.. Enumerable.Range(0, most).Select(i => suite.Questions[(int)((long)i * suite.Questions.Count / most)])];
        var scores = new SortedDictionary<(string Category, string Language), (int Asked, int Right)>();
        long begin = Stopwatch.GetTimestamp();
        await WithBarAsync(console, asked.Length, async advance =>
        {
            (string? Path, DataContent? Image) last = default;
            foreach (SuiteQuestion question in asked)
            {
                string path = suite.ImagePath(question);
                if (last.Path != path)
                    last = (path, Conversation.ReadImage(path));
                var message = new ChatMessage(ChatRole.User, [last.Image!, new TextContent(question.Question)]);
                ChatResponse response;
                try
                {
                    response = await session.Chat.GetResponseAsync([message], new ChatOptions { MaxOutputTokens = MostAnswerTokens }, cancellation).ConfigureAwait(false);
                }
                catch (InvalidInputException error)
                {
                    throw new InvalidInputException(path, error.Problem, error);
                }

                bool isRight = response.Text.Trim() == question.Answer;
                if (showsWrong && !isRight)
                    console.Error.WriteLine(CliConsole.OneLine($"{question.Image}  {question.Question}  expected {question.Answer}, answered {response.Text.Trim()}"));
                (int Asked, int Right) before = scores.GetValueOrDefault((question.Category, question.Language));
                scores[(question.Category, question.Language)] = (before.Asked + 1, before.Right + (isRight ? 1 : 0));
                advance();
            }
        }).ConfigureAwait(false);
        return new EvalReport(
            session.Model.ModelId, suite.Name, session.Model.DeviceInfo.Id, CliJson.Name(session.Model.Numerics),
            [.. asked.Select(static q => q.Language).Distinct().Order(StringComparer.Ordinal)],
            [.. scores.Select(static s => new ScoreReport(s.Key.Category, s.Key.Language, s.Value.Asked, s.Value.Right))],
            CliJson.Round(Stopwatch.GetElapsedTime(begin).TotalSeconds));
    }

    private static Task WithBarAsync(CliConsole console, int count, Func<Action, Task> work) =>
        !console.IsErrorTerminal
            ? work(static () => { })
            : console.StyledError.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(async context =>
                {
                    ProgressTask bar = context.AddTask("Asking", maxValue: count);
                    await work(() => bar.Increment(1)).ConfigureAwait(false);
                });
}
