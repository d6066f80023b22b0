using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Templates;
using Portable.Tests.Engine;

namespace Portable.Tests.Templates;

/// <summary>Where a model's template lies and which of several is meant: transformers' order and choice, GGUF's keys, Mistral's own format.</summary>
[TestFixture]
public sealed class TemplateFileTests
{
    private string _folder = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("portable-template-").FullName;
        File.WriteAllText(Path.Combine(_folder, "config.json"), """{"model_type": "llama"}""");
        byte[] header = Encoding.UTF8.GetBytes("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""");
        File.WriteAllBytes(Path.Combine(_folder, "model.safetensors"), [.. BitConverter.GetBytes((long)header.Length), .. header, .. new byte[8]]);
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void TheOrderIsTransformers()
    {
        Assert.That(Read(), Is.Null);
        Put("tokenizer_config.json", """{"chat_template": "tokenizer"}""");
        Assert.That(Text(), Is.EqualTo("tokenizer"));
        Put("processor_config.json", """{"chat_template": "processor"}""");
        Assert.That(Text(), Is.EqualTo("processor"));
        Put("chat_template.json", """{"chat_template": "json"}""");
        Assert.That(Text(), Is.EqualTo("json"));
        Put("chat_template.jinja", "jinja");
        Assert.That(Text(), Is.EqualTo("jinja"));
    }

    [TestCase("""{"chat_template": [{"name": "default", "template": "usual"}, {"name": "tool_use", "template": "{{ tools }}"}, {"name": "rag", "template": "{{ documents }}"}]}""")]
    [TestCase("""{"chat_template": {"tool_use": "{{ tools }}", "default": "usual"}}""")]
    public void OfNamedTemplatesTheOneForToolsIsTakenWithTools(string json)
    {
        foreach (string file in (string[])["tokenizer_config.json", "chat_template.json"])
        {
            Put(file, json);
            ChatTemplate template = Read()!;
            Assert.That(template.For(hasTools: false).Source, Is.EqualTo("usual"));
            Assert.That(template.For(hasTools: true).Source, Is.EqualTo("{{ tools }}"));
        }
    }

    [Test]
    public void TemplatesBesideTheJinjaFileAreRead()
    {
        Put("chat_template.jinja", "usual");
        Directory.CreateDirectory(Path.Combine(_folder, "additional_chat_templates"));
        Put("additional_chat_templates/tool_use.jinja", "{{ tools }}");
        Put("additional_chat_templates/rag.jinja", "{{ documents }}");
        Assert.That(Read()!.For(hasTools: true).Source, Is.EqualTo("{{ tools }}"));
        Assert.That(Read()!.For(hasTools: false).Source, Is.EqualTo("usual"));
        using Checkpoint checkpoint = Checkpoint.Open(_folder);
        foreach (string outside in (string[])["../a", "additional_chat_templates/../config.json", "additional_chat_templates/", "other/tool_use.jinja", "additional_chat_templates/a/b"])
            Assert.Throws<ArgumentException>(() => checkpoint.TryReadFile(outside, out _), outside);
    }

    [TestCase("""{"chat_template": [{"name": "rag", "template": "x"}, {"name": "tool_use", "template": "y"}]}""", "they are rag, tool_use")]
    [TestCase("""{"chat_template": []}""", "they are none")]
    [TestCase("""{"chat_template": [{"name": "default"}]}""", "needs a name and a template")]
    [TestCase("""{"chat_template": [1]}""", "needs a name and a template")]
    [TestCase("""{"chat_template": {"default": 1}}""", "'default' is no string")]
    [TestCase("""{"chat_template": 7}""", "found Number")]
    public void WhatNamesNoTemplateIsATypedError(string json, string problem)
    {
        Put("tokenizer_config.json", json);
        Assert.That(Assert.Throws<InvalidModelException>(() => Read())!.Message, Does.Contain(problem).And.Contain("tokenizer_config.json"));
    }

    [Test]
    public void ATemplateForToolsThatIsBrokenIsNamed()
    {
        Put("tokenizer_config.json", """{"chat_template": [{"name": "default", "template": "usual"}, {"name": "tool_use", "template": "{% if %}"}]}""");
        Assert.That(Assert.Throws<TemplateException>(() => Read())!.Message + Assert.Throws<TemplateException>(() => Read())!.Template, Does.Contain("tool_use"));
    }

    [Test]
    public void GgufNamesItsTemplatesByKeys()
    {
        string path = Path.Combine(_folder, "model.gguf");
        File.WriteAllBytes(path, new GgufBuilder().String("general.architecture", "llama").String("tokenizer.chat_template", "usual").String("tokenizer.chat_template.tool_use", "{{ tools }}").Build());
        using Checkpoint checkpoint = Checkpoint.Open(path);
        ChatTemplate template = ModelFiles.ReadTemplate(checkpoint)!;
        Assert.That(template.Source, Is.EqualTo("usual"));
        Assert.That(template.For(hasTools: true).Source, Is.EqualTo("{{ tools }}"));
    }

    [Test]
    public async Task ARequestWithToolsIsWrittenWithTheTemplateForThem()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        string config = Path.Combine(path, "tokenizer_config.json");
        File.WriteAllText(config, JsonSerializer.Serialize(new
        {
            chat_template = new[]
            {
                new { name = "default", template = "{% for m in messages %}plain {{ m.content }}{% endfor %}" },
                new { name = "tool_use", template = "{% for m in messages %}with {{ tools | length }} tools {{ m.content[0].text }}{% endfor %}" },
            },
        }));
        using PortableModel model = await Loading.LoadAsync(path);
        Assert.That(Build(null), Is.EqualTo("plain hello"));
        Assert.That(Build(new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "f")] }), Is.EqualTo("with 1 tools hello"));
        Assert.That(Build(new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "f")], ToolMode = ChatToolMode.None }), Is.EqualTo("plain hello"));

        string Build(ChatOptions? options) => new Portable.Decoding.Chat.ChatPromptBuilder(model).Build(
            [new(ChatRole.User, "hello")], null, Portable.Decoding.Chat.ChatRequestOptions.Read(options, model.ChatTemplate!, model.ModelId, new PortableChatClient(model)), default).Text;
    }

    [TestCase("v3", "<s>[INST]one[/INST]two</s>[INST]sys\n\nthree[/INST]")]
    [TestCase("v7", "<s>[SYSTEM_PROMPT]sys[/SYSTEM_PROMPT][INST]one[/INST]two</s>[INST]three[/INST]")]
    [TestCase("v11", "<s>[SYSTEM_PROMPT]sys[/SYSTEM_PROMPT][INST]one[/INST]two</s>[INST]three[/INST]")]
    public void MistralsOwnFormatNeedsNoTemplate(string version, string expected)
    {
        Put("tekken.json", $$$"""{"config": {"pattern": {"a": [1]}, "version": "{{{version}}}"}, "vocab": []}""");
        Assert.That(Read()!.Render(Conversation(("system", "sys"), ("user", "one"), ("assistant", "two"), ("user", "three"))), Is.EqualTo(expected));
        Assert.Throws<TemplateException>(() => Read()!.Render(Conversation(("tool", "x"))));
        Put("tokenizer_config.json", """{"chat_template": "own"}""");
        Assert.That(Text(), Is.EqualTo("own"));
    }

    [TestCase("""{"config": {"version": "v99"}}""")]
    [TestCase("""{"config": {"version": 3}}""")]
    [TestCase("""{"config": []}""")]
    [TestCase("{}")]
    public void AVersionThatIsNotKnownHasNoTemplate(string json)
    {
        Put("tekken.json", json);
        Assert.That(Read(), Is.Null);
    }

    [TestCase("[]")]
    [TestCase("{\"config\": {")]
    [TestCase("")]
    public void ABrokenTekkenFileIsATypedError(string json)
    {
        Put("tekken.json", json);
        Assert.Throws<InvalidModelException>(() => Read());
    }

    [Test]
    [Category("Golden")]
    public void MistralsOwnFormatIsThatOfItsPublishedTemplate()
    {
        if (Fixtures.Find("templates", "jinja", "Mistral-Small-3.2-24B-Instruct-2506.jinja") is not { } file)
        {
            Assert.Ignore("fixtures absent: no Mistral-Small-3.2 template");
            return;
        }

        ChatTemplate published = ChatTemplate.Parse(File.ReadAllText(file));
        Put("tekken.json", """{"config": {"version": "v7"}}""");
        Dictionary<string, TemplateValue> conversation = Conversation(("system", "Be brief."), ("user", " one\n"), ("assistant", "two "), ("user", "three"), ("assistant", "four"), ("user", "five"));
        Assert.That(Read()!.Render(conversation), Is.EqualTo(published.Render(conversation)));
    }

    private static Dictionary<string, TemplateValue> Conversation(params (string Role, string Content)[] messages) => new()
    {
        ["messages"] = TemplateValue.List([.. messages.Select(m => TemplateValue.Object(("role", m.Role), ("content", m.Content)))]),
        ["bos_token"] = "<s>",
        ["eos_token"] = "</s>",
        ["add_generation_prompt"] = true,
    };

    private void Put(string file, string text) => File.WriteAllText(Path.Combine(_folder, file), text);

    private ChatTemplate? Read()
    {
        using Checkpoint checkpoint = Checkpoint.Open(_folder);
        return ModelFiles.ReadTemplate(checkpoint);
    }

    private string Text() => Read()!.Source;
}
