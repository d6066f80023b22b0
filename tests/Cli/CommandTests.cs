using System.Text.Json;
using System.Text.Json.Nodes;

namespace Portable.Cli.Tests;

/// <summary>What inspect, tokenize, doctor and bench report of sound models.</summary>
public class CommandTests
{
    private static JsonElement Json(CliResult result) => JsonDocument.Parse(result.Succeeded().Output).RootElement;

    [Test]
    public void Inspect_describes_the_real_model_with_its_memory_plan()
    {
        JsonElement report = Json(CliRun.InProcess("inspect", CliRun.RequiredModel(), "--json"));
        Assert.That(report.GetProperty("kind").GetString(), Is.EqualTo("gguf"));
        Assert.That(report.GetProperty("architecture").GetString(), Is.Not.Empty);
        Assert.That(report.GetProperty("quantization").GetString(), Is.EqualTo(string.Join(", ", report.GetProperty("types").EnumerateArray().Select(static t => t.GetProperty("type").GetString()).Where(static t => t!.StartsWith('Q')))));
        Assert.That(report.GetProperty("text").GetProperty("vocabularySize").GetInt32(), Is.GreaterThan(256));
        Assert.That(report.GetProperty("text").GetProperty("hasChatTemplate").GetBoolean(), Is.True);
        Assert.That(report.GetProperty("run").GetProperty("isSupported").GetBoolean(), Is.True);
        JsonElement memory = report.GetProperty("run").GetProperty("memory");
        Assert.That(memory.GetProperty("fits").GetBoolean(), Is.True);
        Assert.That(memory.GetProperty("weightBytes").GetInt64(), Is.GreaterThan(report.GetProperty("bytes").GetInt64() / 2));
        Assert.That(report.TryGetProperty("tensors", out JsonElement tensors) && tensors.ValueKind == JsonValueKind.Array, Is.False);
    }

    [Test]
    public void Inspect_in_a_pipe_is_plain_text_with_every_tensor_when_asked()
    {
        CliResult result = CliRun.Child("inspect", CliRun.RequiredModel(), "--tensors", "--numerics", "reference").Succeeded();
        Assert.That(result.Output, Does.Contain("token_embd.weight").And.Contain("blk.0.attn_q.weight").And.Contain("reference (float32)"));
        Assert.That(result.Output.Any(static c => c is '\u001b' or '│' or '╭'), Is.False);
        Assert.That(result.Error, Is.Empty);
    }

    [Test]
    public void A_sound_model_of_an_unknown_architecture_is_described_by_inspect_and_refused_by_name_elsewhere()
    {
        using var model = new TinyModel();
        model.Config["model_type"] = "tomorrow";
        model.Config["architectures"] = new JsonArray("TomorrowForCausalLM");
        model.Write();
        JsonElement report = Json(CliRun.InProcess("inspect", model.Folder, "--json"));
        Assert.That(report.GetProperty("architecture").GetString(), Is.EqualTo("TomorrowForCausalLM"));
        Assert.That(report.GetProperty("tensorCount").GetInt32(), Is.GreaterThan(5));
        JsonElement run = report.GetProperty("run");
        Assert.That(run.GetProperty("isSupported").GetBoolean(), Is.False);
        Assert.That(run.GetProperty("problem").GetString(), Does.Contain("'tomorrow'").And.Contain("not supported"));
        Assert.That(CliRun.InProcess("inspect", model.Folder).Succeeded().Output, Does.Contain("Runs here").And.Contain("no: "));
        CliRun.InProcess("ask", "--model", model.Folder, "hello").FailedWith(1, "'tomorrow'", "not supported");
    }

    [Test]
    public void Tokenize_shows_ids_and_pieces_as_the_golden_says_and_keeps_special_tokens_as_text()
    {
        string model = CliRun.RequiredModel();
        using JsonDocument golden = Fixtures.Json(CliRun.Required("models", "smollm2-golden.json"));
        foreach (JsonElement line in golden.RootElement.GetProperty("tokenization").EnumerateArray().Take(8))
        {
            string text = line.GetProperty("text").GetString()!;
            Assert.That(Ids(Json(CliRun.InProcessWithInput(text, "tokenize", "--model", model, "--json", "-"))), Is.EqualTo(Ints(line.GetProperty("ids_special_as_text"))), text);
            Assert.That(Ids(Json(CliRun.InProcessWithInput(text, "tokenize", "--model", model, "--json", "--special", "-"))), Is.EqualTo(Ints(line.GetProperty("ids_special_parsed"))), text);
        }

        static IEnumerable<int> Ids(JsonElement report) => report.GetProperty("tokens").EnumerateArray().Select(static t => t.GetProperty("id").GetInt32());
        static IEnumerable<int> Ints(JsonElement array) => array.EnumerateArray().Select(static i => i.GetInt32());
    }

    [Test]
    public void Tokenize_reads_a_folder_that_holds_only_a_tokenizer_and_its_ids_decode_to_the_text()
    {
        string source = Directory.EnumerateDirectories(CliRun.Required("tokenizers", "real")).Order(StringComparer.Ordinal).First(
            static f => File.Exists(Path.Combine(f, "tokenizer.json.gz")) && f.Contains("qwen", StringComparison.Ordinal));
        string folder = Directory.CreateTempSubdirectory("portable-cli-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"), Fixtures.Bytes(Path.Combine(source, "tokenizer.json")));
            const string text = "Ein Satz, 中文 and 🙂.";
            JsonElement report = Json(CliRun.Child("tokenize", "--model", folder, "--json", text));
            string ids = string.Join(' ', report.GetProperty("tokens").EnumerateArray().Select(static t => t.GetProperty("id").GetInt32()));
            Assert.That(report.GetProperty("text").GetString(), Is.EqualTo(text));
            Assert.That(CliRun.Child("tokenize", "--model", folder, "--ids", ids).Succeeded().Output.TrimEnd('\n', '\r'), Is.EqualTo(text));
            CliRun.InProcess("tokenize", "--model", folder, "--ids", "99999999").FailedWith(1, "99999999");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Doctor_shows_machine_instruction_sets_memory_and_why_each_backend_is_usable()
    {
        CliResult text = CliRun.Child("doctor").Succeeded();
        Assert.That(text.Output, Does.Contain("cpu").And.Contain("Memory").And.Contain(".NET"));
        JsonElement report = Json(CliRun.InProcess("doctor", "--json"));
        Assert.That(report.GetProperty("cores").GetInt32(), Is.EqualTo(Environment.ProcessorCount));
        Assert.That(report.GetProperty("availableMemoryBytes").GetInt64(), Is.GreaterThan(0));
        JsonElement cpu = report.GetProperty("backends").EnumerateArray().Single(static b => b.GetProperty("id").GetString() == "cpu");
        Assert.That(cpu.GetProperty("isUsable").GetBoolean(), Is.True);
        Assert.That(cpu.GetProperty("reason").GetString(), Is.Not.Empty);
        Assert.That(cpu.GetProperty("devices")[0].GetProperty("details").EnumerateObject().Count(), Is.GreaterThan(0));
    }

    [Test]
    public void Bench_reports_speeds_load_time_and_peak_memory_of_a_tiny_checkpoint()
    {
        JsonElement report = Json(CliRun.InProcess(
            "bench", "--model", CliRun.Required("checkpoints", "smollm2"), "--prompt", "40", "--generate", "6", "--repeat", "2", "--numerics", "reference", "--json"));
        Assert.That(report.GetProperty("promptTokens").GetInt32(), Is.EqualTo(40));
        Assert.That(report.GetProperty("generatedTokens").GetInt32(), Is.EqualTo(6));
        Assert.That(report.GetProperty("repeats").GetInt32(), Is.EqualTo(2));
        Assert.That(report.GetProperty("numerics").GetString(), Is.EqualTo("reference"));
        Assert.That(report.GetProperty("warmUp").GetString(), Does.Contain("not counted"));
        foreach (string speed in (string[])["prefillTokensPerSecond", "decodeTokensPerSecond"])
        {
            JsonElement values = report.GetProperty(speed);
            Assert.That(values.GetProperty("min").GetDouble(), Is.GreaterThan(0));
            Assert.That(values.GetProperty("median").GetDouble(), Is.InRange(values.GetProperty("min").GetDouble(), values.GetProperty("max").GetDouble()));
        }

        Assert.That(report.GetProperty("loadSeconds").GetDouble(), Is.GreaterThan(0));
        Assert.That(report.GetProperty("peakMemoryBytes").GetInt64(), Is.GreaterThan(10L << 20));
        Assert.That(report.GetProperty("weightGigabytesPerSecond").GetDouble(), Is.GreaterThan(0));
    }

    [Test]
    public void Bench_refuses_a_context_that_is_too_short_for_its_own_prompt() =>
        CliRun.InProcess("bench", "--model", CliRun.Required("checkpoints", "smollm2"), "--prompt", "40", "--generate", "6", "--context", "20").FailedWith(1, "40", "20");
}
