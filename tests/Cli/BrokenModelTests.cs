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
    public void Weights_that_are_no_numbers_are_named_with_their_file()
    {
        string? source = Directory.EnumerateFiles(CliRun.Required("gguf", "models"), "*Q4_0.gguf").Order(StringComparer.Ordinal).FirstOrDefault();
        if (source is null)
            Assert.Ignore("fixtures absent: no Q4_0 model under 'gguf/models'");
        byte[] bytes = File.ReadAllBytes(source!);
        bytes.AsSpan(bytes.Length / 4).Fill(0xff);
        string path = Path.Combine(_folder, "poisoned.gguf");
        File.WriteAllBytes(path, bytes);
        Run("ask", path).FailedWith(1, "poisoned.gguf: ", ".weight: row 0", "finite");
    }

    [TestCase("config.json")]
    [TestCase("generation_config.json")]
    [TestCase("tokenizer_config.json")]
    [TestCase("tokenizer.json")]
    [TestCase("model.safetensors")]
    [Platform(Exclude = "Win")]
    public void A_pipe_in_place_of_a_file_is_refused_and_never_waited_for(string name)
    {
        Copy();
        Pipe(Path.Combine(_folder, name));
        WithinSeconds(20, () => Run("ask", _folder)).FailedWith(1, name);
        WithinSeconds(20, () => Run("inspect", _folder)).FailedWith(1, name);
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void A_pipe_named_as_a_model_is_refused_and_never_waited_for([Values("pipe", "pipe.gguf", "pipe.safetensors", "pipe.json")] string name)
    {
        string path = Path.Combine(_folder, name);
        Pipe(path);
        string link = Path.Combine(_folder, "link-" + name);
        File.CreateSymbolicLink(link, path);
        foreach (string given in (string[])[path, link])
        {
            WithinSeconds(20, () => Run("inspect", given)).FailedWith(1, name);
            WithinSeconds(20, () => Run("tokenize", given)).FailedWith(1, name);
        }
    }

    [TestCase("config.json", "{\"model_type\": \"\\ud800\"}")]
    [TestCase("config.json", "{\"\\ud800\": 1, \"model_type\": \"llama\"}")]
    [TestCase("generation_config.json", "{\"\\udc00\": 1}")]
    [TestCase("tokenizer_config.json", "{\"chat_template\": \"\\ud800\"}")]
    [TestCase("tokenizer_config.json", "{\"\\ud800_token\": \"a\", \"chat_template\": \"x\"}")]
    [TestCase("tokenizer.json", "{\"\\ud800\": 1, \"model\": {}}")]
    public void Text_that_is_no_Unicode_is_an_error_of_its_file(string name, string json)
    {
        Copy();
        File.WriteAllText(Path.Combine(_folder, name), json);
        Run("ask", _folder).FailedWith(1, name);
    }

    [Test]
    public void A_byte_order_mark_that_an_editor_left_is_passed_over()
    {
        Copy();
        foreach (string name in (string[])["config.json", "tokenizer_config.json", "tokenizer.json"])
        {
            string path = Path.Combine(_folder, name);
            File.WriteAllBytes(path, [0xef, 0xbb, 0xbf, .. File.ReadAllBytes(path)]);
        }

        CliRun.InProcess("ask", "--model", _folder, "--max-tokens", "1", "hello").Succeeded();
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

    private static CliResult WithinSeconds(int seconds, Func<CliResult> run)
    {
        Task<CliResult> task = Task.Run(run);
        Assert.That(task.Wait(TimeSpan.FromSeconds(seconds)), Is.True, "the command waits for a pipe that nobody writes to");
        return task.Result;
    }

    private static void Pipe(string path)
    {
        File.Delete(path);
        using System.Diagnostics.Process made = System.Diagnostics.Process.Start("mkfifo", [path]);
        made.WaitForExit();
        Assert.That(made.ExitCode, Is.Zero, "mkfifo failed");
    }

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
