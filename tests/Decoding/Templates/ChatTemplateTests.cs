using System.Diagnostics;
using System.Text.Json;
using Portable.Decoding.Templates;

namespace Portable.Tests.Templates;

[TestFixture]
internal sealed class ChatTemplateTests
{
    private const string ChatMl =
        "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    [Test]
    public void A_syntax_error_names_the_template_and_the_line()
    {
        TemplateException error = Fails(() => ChatTemplate.Parse("a\n{% if x %}\n{{ y + }}\n{% endif %}", "model.gguf"));
        Assert.That(error.Kind, Is.EqualTo(TemplateErrorKind.Syntax));
        Assert.That(error.Line, Is.EqualTo(3));
        Assert.That(error.Message, Does.StartWith("model.gguf, line 3: "));
    }

    [Test]
    public void A_failure_while_rendering_names_the_line_of_the_expression()
    {
        TemplateException error = Fails(() => ChatTemplate.Parse("a\n\n{{ missing.role }}").Render(new Dictionary<string, TemplateValue>()));
        Assert.That(error.Kind, Is.EqualTo(TemplateErrorKind.Undefined));
        Assert.That(error.Line, Is.EqualTo(3));
        Assert.That(error.Message, Does.Contain("'missing' is undefined"));
    }

    [Test]
    public void What_a_template_raises_is_exactly_its_own_words()
    {
        TemplateException error = Fails(() => Render("{{ raise_exception('roles must alternate') }}"));
        Assert.That((error.Kind, error.Message), Is.EqualTo((TemplateErrorKind.Raised, "roles must alternate")));
    }

    [TestCase("{% set l = [] %}{{ l.append(1) }}", TemplateErrorKind.Security)]
    [TestCase("{{ ''.__class__.__mro__ }}", TemplateErrorKind.Security)]
    [TestCase("{{ 1 + 'a' }}", TemplateErrorKind.Type)]
    [TestCase("{{ range(100001) }}", TemplateErrorKind.Limit)]
    [TestCase("{% set d = {} %}{% set d.x = 1 %}", TemplateErrorKind.Runtime)]
    public void An_error_tells_its_kind(string source, TemplateErrorKind kind) =>
        Assert.That(Fails(() => Render(source)).Kind, Is.EqualTo(kind));

    [Test]
    public void The_variables_say_what_a_template_takes_notice_of()
    {
        ChatTemplate template = ChatTemplate.Parse(
            "{% for m in messages %}{{ m.role }}{{ loop.index }}{% endfor %}{% if tools %}{% set n = tools | length %}{{ n }}{% endif %}" +
            "{% macro f(documents) %}{{ documents }}{% endmacro %}{{ f(1) }}{{ range(2) }}");
        Assert.That(template.Variables, Is.SupersetOf(new[] { "messages", "tools" }));
        Assert.That(template.Variables, Has.None.AnyOf("documents", "loop", "m", "range", "f"));
    }

    [Test]
    public void Noncharacters_and_lone_surrogates_pass_through_everything()
    {
        const string text = " \uFDD0<|im_end|>\uFDD1\uFFFE\uD83D ";
        Assert.That(Render("{{ t | trim }}|{{ t.strip().split('<')[0] }}|{{ t[1:3] }}|{{ t | replace('i', 'I') | tojson }}", ("t", text)),
            Is.EqualTo("\uFDD0<|im_end|>\uFDD1\uFFFE\uD83D|\uFDD0|\uFDD0<|\" \uFDD0<|Im_end|>\uFDD1\uFFFE\uD83D \""));
    }

    [Test]
    public void Json_keeps_the_order_of_keys_and_the_kinds_of_numbers()
    {
        using JsonDocument json = JsonDocument.Parse("""{"z": 1, "a": 1.0, "m": [true, null, 12345678901234567890, 1e-7]}""");
        Assert.That(Render("{{ v }}{{ v | tojson }}", ("v", TemplateValue.FromJson(json.RootElement))), Is.EqualTo(
            "{'z': 1, 'a': 1.0, 'm': [True, None, 12345678901234567890, 1e-07]}" +
            "{\"z\": 1, \"a\": 1.0, \"m\": [true, null, 12345678901234567890, 1e-07]}"));
    }

    [Test]
    public void Values_are_built_without_json()
    {
        TemplateValue message = TemplateValue.Object(("role", "user"), ("content", TemplateValue.List(1, 2.5, true, TemplateValue.None, "x")));
        Assert.That(Render("{{ m }}", ("m", message)), Is.EqualTo("{'role': 'user', 'content': [1, 2.5, True, None, 'x']}"));
        Assert.That(message.TryGetMember("role", out TemplateValue role) && role.TryGetString(out string text) && text == "user", Is.True);
    }

    [Test]
    public void Assistant_spans_are_the_texts_of_generation_blocks()
    {
        RenderedPrompt prompt = ChatTemplate.Parse("{% for m in m %}<{% generation %}{{ m }}{% endgeneration %}>{% endfor %}")
            .RenderPrompt(new Dictionary<string, TemplateValue> { ["m"] = TemplateValue.List("😀a", "b") });
        Assert.That(prompt.Text, Is.EqualTo("<😀a><b>"));
        Assert.That(prompt.AssistantSpans.Select(span => prompt.Text.Substring(span.Start, span.Length)), Is.EqualTo(new[] { "😀a", "b" }));
    }

    [Test]
    public void A_last_message_can_stay_open()
    {
        var input = new ChatTemplateInput { Messages = [Message("user", "Hi"), Message("assistant", "Well")], ContinueFinalMessage = true };
        Assert.That(input.Render(ChatTemplate.Parse(ChatMl)).Text, Is.EqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nWell"));
    }

    [Test]
    public void Every_limit_of_the_options_is_kept()
    {
        var options = new TemplateOptions { MaxSteps = 1000, MaxOutput = 100, MaxMemory = 100_000, MaxDepth = 100, MaxRange = 50 };
        foreach (string source in new[]
        {
            "{% for i in range(50) %}{% for j in range(50) %}{% endfor %}{% endfor %}",
            "{% for i in range(50) %}abc{% endfor %}",
            "{{ 'a' * 100000 }}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{{ range(51) }}",
        })
        {
            ChatTemplate template = ChatTemplate.Parse(source);
            TemplateException error = Fails(() => template.Render(new Dictionary<string, TemplateValue>(), options));
            Assert.That(error.Kind, Is.EqualTo(TemplateErrorKind.Limit), source);
        }
    }

    [TestCase("{{ ", "(", "1", ")")]
    [TestCase("{{ ", "[", "", "]")]
    [TestCase("{{ ", "{1:", "1", "}")]
    [TestCase("{{ ", "x[", "1", "]")]
    [TestCase("{{ ", "f(", "1", ")")]
    [TestCase("{{ ", "not ", "1", "")]
    [TestCase("{{ ", "- ", "1", "")]
    [TestCase("{{ x", ".y", "", "")]
    [TestCase("{{ x", "|upper", "", "")]
    [TestCase("{{ x", "()", "", "")]
    [TestCase("{{ x", " is x(x", "", ")")]
    [TestCase("{% set ", "(", "a", ",)")]
    [TestCase("", "{% if 1 %}", "", "{% endif %}")]
    [TestCase("", "{% macro f() %}", "", "{% endmacro %}")]
    [TestCase("", "{% call f() %}", "", "{% endcall %}")]
    [TestCase("", "{% set x %}", "", "{% endset %}")]
    public void Nesting_a_hundred_thousand_deep_is_a_typed_error_also_on_a_small_stack(string start, string open, string middle, string close)
    {
        string source = start + string.Concat(Enumerable.Repeat(open, 100_000)) + middle + string.Concat(Enumerable.Repeat(close, 100_000)) + " }}";
        Exception? caught = null;
        var thread = new Thread(() => caught = Assert.Catch(() => ChatTemplate.Parse(source).Render(new Dictionary<string, TemplateValue>())), 512 << 10);
        thread.Start();
        thread.Join();
        Assert.That(caught, Is.TypeOf<TemplateException>());
    }

    [Test]
    public void Lazy_values_in_each_other_end_in_a_typed_error()
    {
        TemplateException error = Fails(() => Render(
            "{% set ns = namespace(g=[1]) %}{% for i in range(50000) %}{% set ns.g = ns.g | map('string') %}{% endfor %}{{ ns.g | list }}"));
        Assert.That(error.Kind, Is.EqualTo(TemplateErrorKind.Limit));
    }

    [Test]
    public void One_template_renders_on_many_threads_at_once()
    {
        ChatTemplate template = ChatTemplate.Parse(ChatMl);
        Parallel.For(0, 200, i =>
        {
            var input = new ChatTemplateInput { Messages = [Message("user", $"question {i}")], AddGenerationPrompt = true };
            Assert.That(input.Render(template).Text, Is.EqualTo($"<|im_start|>user\nquestion {i}<|im_end|>\n<|im_start|>assistant\n"));
        });
    }

    [Test]
    public void A_conversation_of_twenty_turns_renders_well_under_a_millisecond()
    {
        ChatTemplate template = ChatTemplate.Parse(ChatMl);
        var input = new ChatTemplateInput { Messages = [.. Enumerable.Range(0, 20).Select(i => Message("user", new string('x', 500)))] };
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 300; i++)
        {
            var clock = Stopwatch.StartNew();
            input.Render(template);
            best = clock.Elapsed < best ? clock.Elapsed : best;
        }

        Assert.That(best.TotalMilliseconds, Is.LessThan(1));
    }

    private static TemplateValue Message(string role, string content) => TemplateValue.Object(("role", role), ("content", content));

    private static string Render(string source, params (string Name, TemplateValue Value)[] variables) =>
        ChatTemplate.Parse(source).Render(variables.ToDictionary(v => v.Name, v => v.Value));

    private static TemplateException Fails(Action action) => Assert.Throws<TemplateException>(() => action())!;
}
