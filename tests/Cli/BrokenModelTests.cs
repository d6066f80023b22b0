namespace Portable.Cli.Tests;

/// <summary>Model folders that cannot be used: one line that names the file, exit code 1, whichever command meets them.</summary>
public class BrokenModelTests
{
    private string _folder = "";

    [SetUp]
    public void CreateFolder() => _folder = Directory.CreateTempSubdirectory("portable-cli-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase("ask")]
    [TestCase("inspect")]
    [TestCase("tokenize")]
    [TestCase("bench")]
    [TestCase("chat")]
    public void A_model_that_does_not_exist_is_named(string command)
    {
        string path = Path.Combine(_folder, "nothing.gguf");
        Run(command, path).FailedWith(1, "nothing.gguf");
    }

    [TestCase("ask")]
    [TestCase("inspect")]
    [TestCase("bench")]
    public void An_empty_folder_is_refused(string command) => Run(command, _folder).FailedWith(1, _folder);

    [TestCase("{", TestName = "a config that is cut")]
    [TestCase("[]", TestName = "a config that is no object")]
    [TestCase("\0\u001b[31m", TestName = "a config of control characters")]
    public void A_broken_config_is_named(string config)
    {
        Copy();
        File.WriteAllText(Path.Combine(_folder, "config.json"), config);
        Run("ask", _folder).FailedWith(1, "config.json");
        Run("inspect", _folder).FailedWith(1, "config.json");
    }

    [Test]
    public void A_broken_tokenizer_is_named_by_ask_and_by_inspect()
    {
        Copy();
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), "{\"model\": 3}");
        Run("ask", _folder).FailedWith(1, "tokenizer.json");
        Run("inspect", _folder).FailedWith(1, "tokenizer.json");
        Run("tokenize", _folder).FailedWith(1, "tokenizer.json");
    }

    [Test]
    public void Weights_that_the_config_asks_for_and_nobody_has_are_an_error_of_the_model()
    {
        Copy();
        string config = Path.Combine(_folder, "config.json");
        File.WriteAllText(config, System.Text.RegularExpressions.Regex.Replace(File.ReadAllText(config), "\"num_hidden_layers\": *[0-9]+", "\"num_hidden_layers\": 77"));
        Run("ask", _folder).FailedWith(1, "layers.");
        Run("inspect", _folder).FailedWith(1, "layers.");
    }

    [Test]
    public void A_truncated_weights_file_is_named()
    {
        Copy();
        string weights = Path.Combine(_folder, "model.safetensors");
        using (FileStream file = File.OpenWrite(weights))
            file.SetLength(file.Length / 2);
        Run("ask", _folder).FailedWith(1, "model.safetensors", "truncated");
        Run("inspect", _folder).FailedWith(1, "model.safetensors", "truncated");
    }

    [Test]
    public void A_file_that_is_no_model_is_refused()
    {
        string path = Path.Combine(_folder, "page.html");
        File.WriteAllText(path, "<html>");
        Run("inspect", path).FailedWith(1, "page.html", "GGUF");
    }

    [Test]
    public void An_unknown_backend_is_refused_by_name_and_never_replaced()
    {
        string model = CliRun.Required("checkpoints", "smollm2");
        CliRun.InProcess("ask", "--model", model, "--backend", "abacus", "hello").FailedWith(1, "abacus", "cpu");
        CliRun.InProcess("inspect", model, "--backend", "abacus").FailedWith(1, "abacus", "cpu");
    }

    [Test]
    public void A_memory_budget_that_is_too_small_is_refused_before_loading() =>
        CliRun.InProcess("ask", "--model", CliRun.Required("checkpoints", "smollm2"), "--memory", "1K", "hello").FailedWith(1, "bytes");

    private static CliResult Run(string command, string path) => command switch
    {
        "inspect" => CliRun.InProcess("inspect", path),
        "ask" => CliRun.InProcess("ask", "--model", path, "hello"),
        "tokenize" => CliRun.InProcess("tokenize", "--model", path, "hello"),
        _ => CliRun.InProcess(command, "--model", path),
    };

    private void Copy()
    {
        foreach (string file in Directory.EnumerateFiles(CliRun.Required("checkpoints", "smollm2")))
        {
            string name = Path.GetFileName(file);
            if (name is "config.json" or "tokenizer.json" or "tokenizer_config.json" or "model.safetensors")
                File.WriteAllBytes(Path.Combine(_folder, name), File.ReadAllBytes(file));
        }
    }
}
