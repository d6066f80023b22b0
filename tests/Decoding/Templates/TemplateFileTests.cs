using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Chat;
using Portable.Decoding.Templates;
using Portable.Tests.Engine;

namespace Portable.Tests.Templates;

/// <summary>Every place where a model's files keep chat templates, which of them counts, and which one a request takes.</summary>
[TestFixture]
internal sealed class TemplateFileTests
{
    private const string Jinja = "chat_template.jinja", Legacy = "chat_template.json", Processor = "processor_config.json", Config = "tokenizer_config.json";
    private const string Tools = "additional_chat_templates/tool_use.jinja", More = "additional_chat_templates/default.jinja", Rag = "additional_chat_templates/rag.jinja";
    private TinyModel _tiny = null!;

    [SetUp]
    public void Make() => _tiny = new TinyModel { Template = null };

    [TearDown]
    public void Remove() => _tiny.Dispose();

    [TestCase(Jinja, "from the file", "from the file")]
    [TestCase(Legacy, """{"chat_template": "from json"}""", "from json")]
    [TestCase(Processor, """{"chat_template": "from the processor"}""", "from the processor")]
    [TestCase(Config, """{"chat_template": "from the tokenizer"}""", "from the tokenizer")]
    [TestCase(Config, """{"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "from a list"}]}""", "from a list")]
    [TestCase(Config, """{"chat_template": [{"name": "default", "template": "first"}, {"name": "default", "template": "the later"}]}""", "the later")]
    [TestCase(Legacy, """{"chat_template": {"default": "from an object", "tool_use": "t"}}""", "from an object")]
    [TestCase(More, "from the folder", "from the folder")]
    public void EveryFormIsRead(string file, string content, string expected) => Assert.That(Read((file, content))!.Default.Source, Is.EqualTo(expected));

    [Test]
    public void WithoutATemplateThereIsNone() => Assert.That(Read((Config, """{"chat_template": null}"""), (Processor, "{}")), Is.Null);

    [TestCase(Jinja, More)]
    [TestCase(More, Legacy)]
    [TestCase(Jinja, Legacy)]
    [TestCase(Legacy, Processor)]
    [TestCase(Processor, Config)]
    [TestCase(Jinja, Config)]
    [TestCase(Legacy, Config)]
    public void OfTwoFilesTheFirstCounts(string first, string second)
    {
        Assert.That(Read((second, Content(second, "second")), (first, Content(first, "first")))!.Default.Source, Is.EqualTo("first"));

        static string Content(string file, string template) =>
            file.EndsWith(".jinja", StringComparison.Ordinal) ? template : new JsonObject { ["chat_template"] = template }.ToJsonString();
    }

    [Test]
    public void ATemplateFileReplacesTheWholeListBelowIt()
    {
        ChatTemplates templates = Read((Jinja, "raw"), (Config, List(("default", "d"), ("tool_use", "t"))))!;
        Assert.That(templates.Names, Is.EqualTo(new[] { "default" }));
        Assert.That(templates.For(hasTools: true).Source, Is.EqualTo("raw"));
    }

    [Test]
    public void AdditionalTemplatesJoinTheOneThatCountsAndWinOverItsOwn()
    {
        ChatTemplates templates = Read((Config, List(("default", "d"), ("tool_use", "listed"), ("x", "x"))), (Tools, "of the folder"), (Rag, "r"), ("additional_chat_templates/notes.txt", "no template"))!;
        Assert.That(templates.Names, Is.EqualTo(new[] { "default", "rag", "tool_use", "x" }));
        Assert.That(templates.For(hasTools: true).Source, Is.EqualTo("of the folder"));
        Assert.That(templates.For(hasTools: false).Source, Is.EqualTo("d"));
        Assert.That(templates.TryGet("rag", out ChatTemplate? rag) && rag.Source == "r", Is.True);
        Assert.That(templates.TryGet("none", out _), Is.False);
    }

    [Test]
    public void WithoutOneForToolsTheDefaultTakesThem() =>
        Assert.That(Read((Config, List(("default", "d"), ("rag", "r"))))!.For(hasTools: true).Source, Is.EqualTo("d"));

    [Test]
    public void ATemplateThatNobodyAsksForMayBeBroken()
    {
        ChatTemplates templates = Read((Config, List(("default", "d"), ("rag", "{% for %}"))))!;
        Assert.That(templates.Default.Source, Is.EqualTo("d"));
        TemplateException error = Assert.Throws<TemplateException>(() => templates.TryGet("rag", out _))!;
        Assert.That(error.Message, Does.Contain("tokenizer_config.json (rag)"));
    }

    [Test]
    public void AMissingDefaultNamesWhatThereIs()
    {
        InvalidModelException listed = Assert.Throws<InvalidModelException>(() => Read((Config, List(("tool_use", "t"), ("rag", "r")))))!;
        Assert.That(listed.Message, Does.Contain("tokenizer_config.json").And.Contains("'default'").And.Contains("'rag', 'tool_use'"));
        InvalidModelException folder = Assert.Throws<InvalidModelException>(() => Read((Config, "{}"), (Tools, "t")))!;
        Assert.That(folder.Message, Does.Contain("additional_chat_templates").And.Contains("'tool_use'"));
    }

    [TestCase(Config, """{"chat_template": 5}""", "Number")]
    [TestCase(Legacy, """{"chat_template": true}""", "True")]
    [TestCase(Legacy, """["x"]""", "expected an object")]
    [TestCase(Processor, """{"chat_template": """, "not valid JSON")]
    [TestCase(Config, """{"chat_template": []}""", "there are none")]
    [TestCase(Config, """{"chat_template": {}}""", "there are none")]
    [TestCase(Config, """{"chat_template": ["x"]}""", "chat_template[0]")]
    [TestCase(Config, """{"chat_template": [{"name": "default", "template": "d"}, {"name": 1, "template": "x"}]}""", "chat_template[1]")]
    [TestCase(Config, """{"chat_template": [{"name": "default"}]}""", "'template'")]
    [TestCase(Config, """{"chat_template": [{"name": "default", "template": "d"}, {"name": "", "template": "x"}]}""", "name of a template")]
    [TestCase(Config, """{"chat_template": [{"name": "default", "template": "d"}, {"name": "a\nb", "template": "x"}]}""", "name of a template")]
    [TestCase(Config, """{"chat_template": {"default": "d", "rag": null}}""", "'rag'")]
    public void BrokenFilesAreRefusedWithTheirPlace(string file, string content, string part)
    {
        InvalidModelException error = Assert.Throws<InvalidModelException>(() => Read((file, content)))!;
        Assert.That(error.Message, Does.Contain(file).And.Contains(part));
    }

    [Test]
    public void SizesAndNumbersAreBounded()
    {
        Assert.That(
            () => Read((Config, List([("default", "d"), .. Enumerable.Range(0, 64).Select(i => ($"t{i}", "x"))]))),
            Throws.InstanceOf<InvalidModelException>().With.Message.Contains("more than 64"));
        Assert.That(() => Read((Tools, new string('x', (1 << 20) + 1))), Throws.InstanceOf<InvalidModelException>().With.Message.Contains("tool_use.jinja"));
        for (int i = 0; i < 65; i++)
            Put($"additional_chat_templates/n{i}.jinja", "x"u8.ToArray());
        Assert.That(() => Read(), Throws.InstanceOf<InvalidModelException>().With.Message.Contains("more than 64"));
    }

    [Test]
    public void AFileThatIsNoTextIsRefused()
    {
        Put(Jinja, [0x61, 0xFF]);
        Assert.That(() => Read(), Throws.InstanceOf<InvalidModelException>().With.Message.Contains("not UTF-8"));
    }

    [Test]
    public void FilesThatSystemsLeaveBehindAreNoTemplates()
    {
        Put("additional_chat_templates/._tool_use.jinja", [0xFF]);
        Assert.That(Read((Jinja, "d"))!.Names, Is.EqualTo(new[] { "default" }));
    }

    [Test]
    public void GgufKeepsNamedTemplatesUnderKeysOfTheirOwn()
    {
        ChatTemplates templates = ReadGguf(g => g.String("tokenizer.chat_template", "d").String("tokenizer.chat_template.tool_use", "t")
            .String("tokenizer.chat_template.rag", "{% for %}").Strings("tokenizer.chat_templates", "tool_use"u8.ToArray(), "rag"u8.ToArray()))!;
        Assert.That(templates.Names, Is.EqualTo(new[] { "default", "rag", "tool_use" }));
        Assert.That((templates.Default.Source, templates.For(hasTools: true).Source), Is.EqualTo(("d", "t")));
        Assert.That(Assert.Throws<TemplateException>(() => templates.TryGet("rag", out _))!.Template, Is.EqualTo("tokenizer.chat_template.rag"));
        Assert.That(ReadGguf(g => g), Is.Null);
        // Files that do not list them hold them all the same.
        Assert.That(ReadGguf(g => g.String("tokenizer.chat_template", "d").String("tokenizer.chat_template.tool_use", "t"))!.For(hasTools: true).Source, Is.EqualTo("t"));
    }

    [Test]
    public void BrokenGgufTemplatesAreRefusedByKey()
    {
        Assert.That(
            () => ReadGguf(g => g.String("tokenizer.chat_template.tool_use", "t").String("tokenizer.chat_template.rag", "r")),
            Throws.InstanceOf<InvalidModelException>().With.Message.Contains("'rag', 'tool_use'"));
        Assert.That(
            () => ReadGguf(g => g.String("tokenizer.chat_template", "d").Strings("tokenizer.chat_templates", "lost"u8.ToArray())),
            Throws.InstanceOf<InvalidModelException>().With.Message.Contains("'lost'"));
        Assert.That(
            () => ReadGguf(g => g.String("tokenizer.chat_template", "d").UInt32("tokenizer.chat_template.rag", 5)),
            Throws.InstanceOf<InvalidModelException>().With.Message.Contains("tokenizer.chat_template.rag"));
        Assert.That(
            () => ReadGguf(g => g.String("tokenizer.chat_template", "d").String("tokenizer.chat_template.", "x")),
            Throws.InstanceOf<InvalidModelException>().With.Message.Contains("name of a template"));
    }

    [Test]
    public async Task ARequestTakesTheTemplateForItsTools()
    {
        _tiny.Template = "plain {{ messages[-1].content }}";
        string folder = _tiny.Write();
        Put(Tools, "{{ tools[0].function.name }} {% for part in messages[-1].content %}[{{ part.text }}]{% endfor %}"u8.ToArray());
        Put(Rag, "{{ documents }} {{ messages[-1].content }}"u8.ToArray());
        using PortableModel model = await Loading.LoadAsync(folder);
        AIFunction tool = AIFunctionFactory.Create((string city) => city, "weather", "Tells the weather");

        Assert.That(Text(new ChatOptions()), Is.EqualTo("plain hi"));
        // The default takes texts and this one only parts, which is found out for each.
        Assert.That(Text(new ChatOptions { Tools = [tool] }), Is.EqualTo("weather [hi]"));
        Assert.That(Text(new ChatOptions { Tools = [tool], ToolMode = ChatToolMode.None }), Is.EqualTo("plain hi"));
        Assert.That(Text(new ChatOptions { Tools = [] }), Is.EqualTo("plain hi"));
        Assert.That(
            Text(new ChatOptions { RawRepresentationFactory = _ => new PortableRequestOptions { Template = "rag" }, AdditionalProperties = new() { ["documents"] = "paper" } }),
            Is.EqualTo("paper hi"), "the variables of the named template are known");
        Assert.That(
            () => Text(new ChatOptions { RawRepresentationFactory = _ => new PortableRequestOptions { Template = "none" } }),
            Throws.InstanceOf<InvalidInputException>().With.Message.Contains("'default', 'rag', 'tool_use'"));
        Assert.That(
            () => Text(new ChatOptions { Tools = [tool], RawRepresentationFactory = _ => new PortableRequestOptions { Template = "default" } }),
            Throws.InstanceOf<UnsupportedException>().With.Message.Contains("no tools"));

        string Text(ChatOptions options) => new ChatPromptBuilder(model).Build(
            [new(ChatRole.User, "hi")], null, ChatRequestOptions.Read(options, model.ChatTemplates!, "tiny", new PortableChatClient(model)), default).Text;
    }

    private ChatTemplates? Read(params (string File, string Content)[] files)
    {
        _tiny.Write();
        foreach ((string file, string content) in files)
            Put(file, Encoding.UTF8.GetBytes(content));
        using Checkpoint checkpoint = Checkpoint.Open(_tiny.Folder);
        return ModelFiles.ReadTemplates(checkpoint);
    }

    private ChatTemplates? ReadGguf(Func<GgufBuilder, GgufBuilder> build)
    {
        string path = Path.Combine(_tiny.Folder, "model.gguf");
        File.WriteAllBytes(path, build(new GgufBuilder().String("general.architecture", "llama")).Build());
        using Checkpoint checkpoint = Checkpoint.Open(path);
        return ModelFiles.ReadTemplates(checkpoint);
    }

    private void Put(string file, byte[] content)
    {
        string path = Path.Combine(_tiny.Folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }

    private static string List(params (string Name, string Template)[] named) => new JsonObject
    {
        ["chat_template"] = new JsonArray([.. named.Select(n => (JsonNode)new JsonObject { ["name"] = n.Name, ["template"] = n.Template })]),
    }.ToJsonString();
}
