using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Portable.Decoding.Templates;

namespace Portable.Tests.Templates;

/// <summary>What the template fixtures have in common: the folder, the fixed clock, and the judgement of one rendering.</summary>
internal static class TemplateGoldens
{
    public const string Kind = "templates";

    public static JsonElement Read(string file) => Fixtures.Json(Fixtures.Find(Kind, file)!).RootElement;

    public static TemplateOptions At(string now) => new() { Clock = new FixedClock(DateTime.Parse(now, CultureInfo.InvariantCulture)) };

    public static Dictionary<string, TemplateValue> Variables(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement variables) && variables.ValueKind == JsonValueKind.Object
            ? variables.EnumerateObject().ToDictionary(v => v.Name, v => TemplateValue.FromJson(v.Value))
            : [];

    /// <summary>Null where the rendering is what the golden says, else the difference.</summary>
    public static string? Difference(JsonElement golden, Func<string> render, bool parsed = true)
    {
        string output;
        try
        {
            output = render();
        }
        catch (TemplateException error)
        {
            if (!golden.TryGetProperty("error", out JsonElement kind))
                return $"failed with {error.Kind}: {error.Message}";
            if (kind.GetString() == "raised")
            {
                string expected = golden.GetProperty("message").GetString()!;
                return error.Kind == TemplateErrorKind.Raised && error.Message == expected ? null : $"raised '{error.Message}' ({error.Kind}), expected '{expected}'";
            }

            if (kind.GetString() == "syntax" && !parsed && error.Line < 1)
                return "a syntax error without its line";
            return error.Kind == TemplateErrorKind.Raised ? $"raised '{error.Message}', expected an error of kind {kind}" : null;
        }

        if (golden.TryGetProperty("error", out JsonElement wanted))
            return $"gave {Show(output, 0)}, expected an error of kind {wanted}: {golden.GetProperty("message")}";
        string text = golden.GetProperty("out").GetString()!;
        if (output == text)
            return null;
        int at = output.AsSpan().CommonPrefixLength(text);
        return $"at {at}: gave {Show(output, at)}, expected {Show(text, at)}";
    }

    private static string Show(string text, int at)
    {
        int from = Math.Max(0, at - 20);
        return "'" + text[from..Math.Min(text.Length, at + 60)].Replace("\n", "\\n") + "'";
    }

    private sealed class FixedClock(DateTime now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(now, TimeSpan.Zero);
    }
}

[TestFixture]
[Category("Golden")]
internal sealed class TemplateGoldenTests
{
    private static readonly Lazy<JsonElement> Cases = new(() => TemplateGoldens.Read("cases.json"));

    private static IEnumerable<TestCaseData> Templates()
    {
        string? folder = Fixtures.Find(TemplateGoldens.Kind, "expected");
        if (folder is null)
            return [Fixtures.Absent(TemplateGoldens.Kind)];
        return Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal)
            .Select(path => new TestCaseData(path).SetName($"template {Path.GetFileNameWithoutExtension(path)}"));
    }

    [TestCaseSource(nameof(Templates))]
    public void Every_case_renders_character_by_character_as_the_reference(string path)
    {
        JsonElement golden = Fixtures.Json(path).RootElement;
        string name = golden.GetProperty("template").GetString()!;
        string source = Encoding.UTF8.GetString(Fixtures.Bytes(Fixtures.Find(TemplateGoldens.Kind, "jinja", name + ".jinja")!));
        TemplateOptions options = TemplateGoldens.At(Cases.Value.GetProperty("now").GetString()!);
        ChatTemplate template = ChatTemplate.Parse(source, name);
        var differences = new List<string>();
        foreach (JsonProperty expected in golden.GetProperty("expected").EnumerateObject())
        {
            ChatTemplateInput input = Input(expected.Name);
            RenderedPrompt? prompt = null;
            string? difference = TemplateGoldens.Difference(expected.Value, () => (prompt = input.Render(template, options)).Text);
            if (difference is null && prompt is not null && golden.TryGetProperty("assistant_spans", out JsonElement all) && all.TryGetProperty(expected.Name, out JsonElement spans))
                difference = SpanDifference(prompt, spans);
            if (difference is not null)
                differences.Add($"{expected.Name}: {difference}");
        }

        Assert.That(differences, Is.Empty, string.Join("\n", differences.Take(5)));
    }

    [TestCaseSource(nameof(Templates))]
    public void The_variables_a_template_reads_are_those_of_the_reference(string path)
    {
        JsonElement golden = Fixtures.Json(path).RootElement;
        string name = golden.GetProperty("template").GetString()!;
        string source = Encoding.UTF8.GetString(Fixtures.Bytes(Fixtures.Find(TemplateGoldens.Kind, "jinja", name + ".jinja")!));
        string[] expected = [.. golden.GetProperty("variables").EnumerateArray().Select(v => v.GetString()!)];
        Assert.That(ChatTemplate.Parse(source, name).Variables, Is.EquivalentTo(expected));
    }

    private static ChatTemplateInput Input(string name)
    {
        JsonElement given = Cases.Value.GetProperty("cases").GetProperty(name);
        bool withTokens = !Cases.Value.GetProperty("no_tokens").EnumerateArray().Any(n => n.GetString() == name);
        return new ChatTemplateInput
        {
            Messages = [.. given.GetProperty("messages").EnumerateArray().Select(TemplateValue.FromJson)],
            Tools = TemplateValue.FromJson(given.GetProperty("tools")),
            Documents = TemplateValue.FromJson(given.GetProperty("documents")),
            AddGenerationPrompt = given.GetProperty("add_generation_prompt").GetBoolean(),
            ContinueFinalMessage = given.TryGetProperty("continue_final_message", out JsonElement open) && open.GetBoolean(),
            SpecialTokens = withTokens ? TemplateGoldens.Variables(Cases.Value, "special_tokens") : null,
            Arguments = TemplateGoldens.Variables(given, "kwargs"),
        };
    }

    private static string? SpanDifference(RenderedPrompt prompt, JsonElement spans)
    {
        static int points(string text, int length) => text.AsSpan(0, length).ToString().EnumerateRunes().Count();
        string found = string.Join(", ", prompt.AssistantSpans.Select(s => $"[{points(prompt.Text, s.Start)}, {points(prompt.Text, s.Start + s.Length)}]"));
        string wanted = string.Join(", ", spans.EnumerateArray().Select(s => $"[{s[0]}, {s[1]}]"));
        return found == wanted ? null : $"assistant spans {found}, expected {wanted}";
    }
}

[TestFixture]
[Category("Golden")]
internal sealed class TemplateLanguageTests
{
    private static IEnumerable<TestCaseData> Programs()
    {
        if (Fixtures.Find(TemplateGoldens.Kind, "language.json") is null)
            return [Fixtures.Absent(TemplateGoldens.Kind)];
        JsonElement language = TemplateGoldens.Read("language.json");
        string now = language.GetProperty("now").GetString()!;
        return language.GetProperty("programs").EnumerateArray()
            .Select(program => new TestCaseData(program, now).SetName($"language {program.GetProperty("name").GetString()}"));
    }

    [TestCaseSource(nameof(Programs))]
    public void A_program_gives_what_the_reference_gives(JsonElement program, string now)
    {
        bool syntax = program.TryGetProperty("error", out JsonElement kind) && kind.GetString() == "syntax";
        ChatTemplate? template = null;
        string? difference = TemplateGoldens.Difference(program, () =>
        {
            template = ChatTemplate.Parse(program.GetProperty("source").GetString()!, "program");
            return template.Render(TemplateGoldens.Variables(program, "context"), TemplateGoldens.At(now));
        }, parsed: false);
        Assert.That(difference, Is.Null, program.GetProperty("source").GetString());
        if (syntax)
            Assert.That(template, Is.Null, "a syntax error is found when the template is parsed");
    }
}

[TestFixture]
[Category("Golden")]
[NonParallelizable]
internal sealed class TemplateHostileTests
{
    private static IEnumerable<TestCaseData> Programs()
    {
        if (Fixtures.Find(TemplateGoldens.Kind, "hostile.json") is null)
            return [Fixtures.Absent(TemplateGoldens.Kind)];
        JsonElement hostile = TemplateGoldens.Read("hostile.json");
        JsonElement demand = hostile.GetProperty("demand");
        return hostile.GetProperty("programs").EnumerateArray()
            .Select(program => new TestCaseData(program, demand.GetProperty("seconds").GetDouble(), demand.GetProperty("bytes").GetInt64())
                .SetName($"hostile {program.GetProperty("name").GetString()}"));
    }

    [TestCaseSource(nameof(Programs))]
    public void A_program_that_attacks_ends_in_time_and_memory_with_its_text_or_a_typed_error(JsonElement program, double seconds, long bytes)
    {
        string source = program.TryGetProperty("source", out JsonElement whole) ? whole.GetString()!
            : string.Concat(program.GetProperty("parts").EnumerateArray().Select(part => new StringBuilder().Insert(0, part[0].GetString()!, part[1].GetInt32()).ToString()));
        Dictionary<string, TemplateValue> context = TemplateGoldens.Variables(program, "context");
        string? output = null;
        TemplateException? error = null;
        using Process process = Process.GetCurrentProcess();
        GC.Collect();
        process.Refresh();
        long before = process.WorkingSet64;
        long peak = 0;
        TimeSpan worked = process.TotalProcessorTime;
        var clock = Stopwatch.StartNew();

        // The smallest stack that threads of services have.
        var thread = new Thread(() =>
        {
            try
            {
                output = ChatTemplate.Parse(source, "hostile").Render(context, TemplateGoldens.At("2026-01-02T03:04:05"));
            }
            catch (TemplateException thrown)
            {
                error = thrown;
            }
        }, 1 << 20);
        thread.Start();
        while (!thread.Join(20))
        {
            process.Refresh();
            peak = Math.Max(peak, process.WorkingSet64);
        }

        clock.Stop();
        process.Refresh();
        peak = Math.Max(peak, process.WorkingSet64);
        worked = process.TotalProcessorTime - worked;

        // On a busy machine the clock also counts the work of others; the time of the processor does not.
        TimeSpan taken = worked < clock.Elapsed ? worked : clock.Elapsed;
        TestContext.Out.WriteLine($"{taken.TotalSeconds:F2} s, {(peak - before) >> 20} MiB, {error?.Message}");
        Assert.That(taken.TotalSeconds, Is.LessThan(seconds));
        Assert.That(peak - before, Is.LessThan(bytes));
        string must = program.GetProperty("must").GetString()!;
        JsonElement reference = program.GetProperty("reference");
        if (must == "error")
            Assert.That(error, Is.Not.Null, $"gave {output?.Length} characters");
        if (must == "render")
            Assert.That(error, Is.Null);
        if (output is not null && reference.TryGetProperty("sha256", out JsonElement hash))
        {
            Assert.That(output.EnumerateRunes().Count(), Is.EqualTo(reference.GetProperty("length").GetInt32()));
            Assert.That(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(output))), Is.EqualTo(hash.GetString()));
        }
    }
}
