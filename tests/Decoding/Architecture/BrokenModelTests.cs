using System.Diagnostics;
using System.Text.Json.Nodes;
using Portable.Decoding;
using Portable.Testing.Foreign;
using Portable.Tests.Engine;

namespace Portable.Tests.Architecture;

/// <summary>Model folders that lie or are broken: one typed error that names file and field or tensor, at once, without taking memory.</summary>
[TestFixture]
[NonParallelizable]
public sealed class BrokenModelTests
{
    private const string Layer = "model.layers.1.";

    private static IEnumerable<TestCaseData> Cases()
    {
        // What is done to config.json; what the message must hold.
        yield return Config("an unknown architecture", c => c["model_type"] = "abacus", "abacus", "llama");
        yield return Config("no architecture", c => c.Remove("model_type"), "config.json", "model_type");
        yield return Config("an architecture that is no string", c => c["model_type"] = 3, "config.json", "model_type");
        yield return Config("no hidden size", c => c.Remove("hidden_size"), "config.json", "hidden_size", "missing");
        yield return Config("a hidden size that is text", c => c["hidden_size"] = "64", "config.json", "hidden_size", "\"64\"");
        yield return Config("a hidden size of 1e9", c => c["hidden_size"] = 1_000_000_000, "config.json", "hidden_size", "1000000000");
        yield return Config("a hidden size of 1e99", c => c["hidden_size"] = 1e99, "config.json", "hidden_size");
        yield return Config("a hidden size of 0", c => c["hidden_size"] = 0, "config.json", "hidden_size");
        yield return Config("a negative hidden size", c => c["hidden_size"] = -64, "config.json", "hidden_size");
        yield return Config("the largest hidden size believed", c => c["hidden_size"] = 1 << 24, "embed_tokens.weight", "16777216", "64");
        yield return Config("the largest feed-forward size believed", c => c["intermediate_size"] = 1 << 24, "gate_proj.weight", "16777216", "128");
        yield return Config("the largest vocabulary believed", c => c["vocab_size"] = 1 << 24, "embed_tokens.weight", "16777216", "272");
        yield return Config("a million layers", c => c["num_hidden_layers"] = 1_000_000, "config.json", "num_hidden_layers");
        yield return Config("more layers than the file has", c => c["num_hidden_layers"] = 4000, "layers.2.");
        yield return Config("heads that are no divisor", c => c["num_key_value_heads"] = 3, "config.json", "num_key_value_heads");
        yield return Config("a hidden size that heads do not divide", c =>
        {
            c.Remove("head_dim");
            c["num_attention_heads"] = 6;
            c["num_key_value_heads"] = 6;
        }, "config.json", "num_attention_heads", "64");
        yield return Config("no heads", c => c["num_attention_heads"] = 0, "config.json", "num_attention_heads");
        yield return Config("an odd head", c => c["head_dim"] = 15, "config.json", "head_dim");
        yield return Config("heads of an absurd size", c => c["head_dim"] = 65536, "q_proj.weight", "262144");
        yield return Config("heads beyond belief", c =>
        {
            c["head_dim"] = 65536;
            c["num_attention_heads"] = 65536;
        }, "config.json", "head_dim");
        yield return Config("an epsilon that is no number", c => c["rms_norm_eps"] = "small", "config.json", "rms_norm_eps");
        yield return Config("a negative rope base", c => c["rope_theta"] = -1, "config.json", "rope_theta");
        yield return Config("a rope that turns nothing", c => c["partial_rotary_factor"] = 0.01, "config.json", "partial_rotary_factor");
        yield return Config("an unknown rope scaling", c => c["rope_scaling"] = new JsonObject { ["rope_type"] = "spiral" }, "config.json", "spiral");
        yield return Config("a rope scaling that is a list", c => c["rope_scaling"] = new JsonArray(), "config.json", "rope_scaling");
        yield return Config("an upside-down llama3 scaling", c => c["rope_scaling"] = new JsonObject
        {
            ["rope_type"] = "llama3", ["low_freq_factor"] = 4, ["high_freq_factor"] = 1,
        }, "config.json", "high_freq_factor");
        yield return Config("rope sections that do not fit", c => c["rope_scaling"] = new JsonObject
        {
            ["type"] = "mrope", ["mrope_section"] = new JsonArray(100, 100, 100),
        }, "config.json", "mrope_section");
        yield return Config("rope sections that overflow", c => c["rope_scaling"] = new JsonObject
        {
            ["type"] = "mrope", ["mrope_section"] = new JsonArray(int.MaxValue, int.MaxValue, 2),
        }, "config.json", "mrope_section");
        yield return Config("an unknown activation", c => c["hidden_act"] = "step", "config.json", "step");
        yield return Config("layer types that are too few", c =>
        {
            c["sliding_window"] = 8;
            c["layer_types"] = new JsonArray("full_attention");
        }, "config.json", "layer_types");
        yield return Config("a layer type that is unknown", c =>
        {
            c["sliding_window"] = 8;
            c["layer_types"] = new JsonArray("full_attention", "linear_attention");
        }, "config.json", "linear_attention");
        yield return Config("end tokens that are text", c => c["eos_token_id"] = "</s>", "config.json", "eos_token_id");
        yield return Config("a text config that is no object", c => c["text_config"] = 7, "config.json", "text_config");

        yield return Tensors("a missing matrix", m => m.Tensors.Remove(Layer + "self_attn.k_proj.weight"), Layer + "self_attn.k_proj");
        yield return Tensors("a missing norm", m => m.Tensors.Remove("model.norm.weight"), "model.norm.weight");
        yield return Tensors("no embedding", m => m.Tensors.Remove("model.embed_tokens.weight"), "embed_tokens");
        yield return Tensors("a matrix of another shape", m => m.Tensors[Layer + "mlp.up_proj.weight"] = ([64, 64], new float[64 * 64]), Layer + "mlp.up_proj.weight", "[128, 64]", "[64, 64]");
        yield return Tensors("a matrix the wrong way round", m => m.Tensors[Layer + "mlp.down_proj.weight"] = ([128, 64], new float[128 * 64]), Layer + "mlp.down_proj.weight", "[64, 128]");
        yield return Tensors("a matrix that is a vector", m => m.Tensors[Layer + "mlp.up_proj.weight"] = ([8192], new float[8192]), Layer + "mlp.up_proj");
        yield return Tensors("a norm that is too short", m => m.Tensors[Layer + "input_layernorm.weight"] = ([63], new float[63]), Layer + "input_layernorm.weight", "64", "63");

        yield return Tensors("a tokenizer larger than the embedding", m =>
        {
            m.Config["vocab_size"] = 200;
            foreach (string name in (string[])["model.embed_tokens.weight", "lm_head.weight"])
                m.Tensors[name] = ([200, 64], m.Tensors[name].Values[..(200 * 64)]);
        }, "tokenizer", "268", "200");
        yield return Tensors("a template with a syntax error", m => m.Template = "line\n{% if %}", "tokenizer_config.json");
        yield return Tensors("a template that is deep", m => m.Template = "{{ " + new string('(', 100_000) + "1 }}", "tokenizer_config.json");

        yield return File("no config.json", "config.json", null, "config.json");
        yield return File("an empty config.json", "config.json", "", "config.json");
        yield return File("a config.json that is cut", "config.json", "{\"model_type\":", "config.json");
        yield return File("a config.json that is a list", "config.json", "[]", "config.json");
        yield return File("a deep config.json", "config.json", string.Concat(Enumerable.Repeat("{\"a\":", 100_000)), "config.json");
        yield return File("a config.json that is no Unicode", "config.json", "{\"model_type\":\"\\ud800\"}", "config.json", "not valid JSON");
        yield return File("a config.json with a name that is no Unicode", "config.json", "{\"\\ud800\":1,\"model_type\":\"llama\"}", "config.json");
        yield return File("a generation_config.json that is broken", "generation_config.json", "{", "generation_config.json");
        yield return File("a generation_config.json with wrong types", "generation_config.json", "{\"eos_token_id\":\"x\"}", "generation_config.json", "eos_token_id");
        yield return File("no tokenizer.json", "tokenizer.json", null, "tokenizer.json", "missing");
        yield return File("a tokenizer.json that is no tokenizer", "tokenizer.json", "{\"model\":5}", "tokenizer.json", "model");
        yield return File("a tokenizer.json that is deep", "tokenizer.json", string.Concat(Enumerable.Repeat("[", 1_000_000)), "tokenizer.json");
        yield return File("a tokenizer_config.json that is broken", "tokenizer_config.json", "{\"chat_template\":", "tokenizer_config.json");
        yield return File("a chat template that is a number", "tokenizer_config.json", "{\"chat_template\":5}", "tokenizer_config.json", "chat_template");
        yield return File("a chat template that is no Unicode", "tokenizer_config.json", "{\"chat_template\":\"\\ud800\"}", "tokenizer_config.json", "not valid JSON");
        yield return File("a special token that is no Unicode", "tokenizer_config.json", "{\"bos_token\":\"\\ud800\"}", "tokenizer_config.json", "not valid JSON");
        yield return File("chat templates without a default", "tokenizer_config.json", "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"x\"}]}", "tokenizer_config.json", "default");
        yield return File("a chat_template.jinja with a syntax error", "chat_template.jinja", "{% for %}", "chat_template.jinja");
        yield return File("no weights", "model.safetensors", null, "safetensors");
        yield return File("weights that are text", "model.safetensors", "hello, world", "model.safetensors");
        yield return File("weights that promise more than there is", "model.safetensors", "\u0001\0\0\0\0\0\0\u007f{}", "model.safetensors");

        static TestCaseData Config(string name, Action<JsonObject> change, params string[] expected) =>
            Tensors(name, model => change(model.Config), expected);

        static TestCaseData Tensors(string name, Action<TinyModel> change, params string[] expected) => new TestCaseData((Action<TinyModel>)(model =>
        {
            change(model);
            model.Write();
        }), expected).SetName($"Refused: {name}");

        static TestCaseData File(string name, string file, string? content, params string[] expected) => new TestCaseData((Action<TinyModel>)(model =>
        {
            string path = Path.Combine(model.Write(), file);
            if (content is null)
                System.IO.File.Delete(path);
            else
                System.IO.File.WriteAllText(path, content);
        }), expected).SetName($"Refused: {name}");
    }

    [TestCaseSource(nameof(Cases))]
    public async Task A_broken_folder_is_refused(Action<TinyModel> breaking, string[] expected)
    {
        using var tiny = new TinyModel();
        breaking(tiny);
        var backend = new ForeignBackend();
        long before = GC.GetTotalAllocatedBytes();
        long begin = Stopwatch.GetTimestamp();
        var error = await Assert.CatchAsync<PortableException>(() => Loading.LoadAsync(tiny.Folder, backend));
        TimeSpan time = Stopwatch.GetElapsedTime(begin);
        TestContext.Out.WriteLine(error!.Message);
        foreach (string part in expected)
            Assert.That(error.Message, Does.Contain(part));
        Assert.That(error.Message, Has.Length.LessThan(1000));
        Assert.That(error.Message, Does.Not.Contain("   at "));
        Assert.That(time, Is.LessThan(TimeSpan.FromSeconds(5)), "milliseconds, but the machine may be busy");
        Assert.That(GC.GetTotalAllocatedBytes() - before, Is.LessThan(64 << 20));
        Assert.That(backend.Leaks, Is.Empty);
    }

    [Test]
    public async Task A_folder_that_does_not_exist_is_named()
    {
        var error = await Assert.CatchAsync<PortableException>(() => Loading.LoadAsync("/no/such/folder"));
        Assert.That(error!.Message, Does.Contain("/no/such/folder"));
        Assert.That((await Assert.CatchAsync<InvalidInputException>(() => Loading.LoadAsync(" ")))!.Input, Does.Contain("Path"));
    }

    [Test]
    public async Task Random_changes_of_the_configuration_never_crash()
    {
        using var tiny = new TinyModel(hidden: 32, layers: 1);
        string whole = tiny.Config.ToJsonString();
        tiny.Write();
        var random = new Random(77);
        string[] values = ["null", "-1", "0", "1", "3", "1e400", "\"x\"", "[]", "{}", "true", "2147483647", "9223372036854775808", "0.5", "[1,2,3]", "\"\\ud800\""];
        for (int i = 0; i < 300; i++)
        {
            JsonObject config = JsonNode.Parse(whole)!.AsObject();
            string name = config.ElementAt(random.Next(config.Count)).Key;
            string changed = random.Next(4) == 0
                ? whole[..random.Next(whole.Length)]
                : whole.Replace($"\"{name}\":{config[name]!.ToJsonString()}", $"\"{name}\":{values[random.Next(values.Length)]}", StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(tiny.Folder, "config.json"), changed);
            try
            {
                using PortableModel model = await Loading.LoadAsync(tiny.Folder, configure: o => o.ContextTokens = 32);
                await Loading.TokensAsync(model, new ModelPrompt([40]), 2);
            }
            catch (PortableException)
            {
            }
        }
    }
}
