using System.Text;
using System.Text.Json;
using Portable.Backends.Cpu;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Decoding.Templates;
using Portable.Decoding.Tokenization;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Fuzzing;

/// <summary>Something that reads untrusted bytes.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Seeds">Sound inputs to begin with.</param>
/// <param name="Read">Reads; only a <see cref="PortableException"/> may leave it.</param>
internal sealed record FuzzTarget(string Name, IReadOnlyList<byte[]> Seeds, Action<byte[]> Read)
{
    private const int LongestSeed = 1 << 16;

    /// <summary>All targets, with the fixtures' small files as seeds and a few of our own where there are none.</summary>
    /// <param name="folder">An empty folder for files that are read by path.</param>
    public static IReadOnlyList<FuzzTarget> All(string folder)
    {
        string file = Path.Combine(folder, "input");
        return
        [
            new("safetensors", Files("*.safetensors", Safetensors()), bytes => Open(Path.ChangeExtension(file, ".safetensors"), bytes)),
            new("gguf", Files("*.gguf", Gguf()), bytes => Open(Path.ChangeExtension(file, ".gguf"), bytes)),
            new("tokenizer.json", Files("tokenizer.json", TokenizerSeed()), bytes => Use(Tokenizer.FromJson(bytes, "tokenizer.json"))),
            new("tiktoken", [Encoding.ASCII.GetBytes("IQ== 0\nIg== 1\nISI= 2\nYQ== 3\nYWE= 4\n")], bytes => Use(Tokenizer.FromGguf(TiktokenFile.Read(bytes, "f", "qwen2", ["<|im_start|>"]), "f"))),
            new("tekken.json", [Encoding.ASCII.GetBytes("""{"config":{"default_vocab_size":5,"default_num_special_tokens":2},"vocab":[{"rank":0,"token_bytes":"IQ=="},{"rank":1,"token_bytes":"Ig=="},{"rank":2,"token_bytes":"ISI="}],"special_tokens":[{"rank":0,"token_str":"<s>"}]}""")], bytes => Use(Tokenizer.FromGguf(TiktokenFile.ReadTekken(bytes, "f"), "f"))),
            new("sentencepiece", Files("tokenizer.model", SentencePieceSeed()), bytes => Use(Tokenizer.FromGguf(SentencePieceFile.Read(bytes, "f", null, null), "f"))),
            new("jinja", Files("*.jinja", Encoding.UTF8.GetBytes("{% for m in messages %}{{ m.role ~ ': ' ~ m['content']|trim }}{% endfor %}")), Render),
            new("config.json", Files("config.json", Encoding.UTF8.GetBytes("""{"model_type":"llama","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":128,"vocab_size":100}""")), Configure),
            new("processor.json", [.. Files("preprocessor_config.json", "{}"u8.ToArray()), .. Files("processor_config.json", "{}"u8.ToArray())], bytes =>
            {
                if (ImageProcessorConfig.Parse(bytes, "f") is { } config && ImageProcessors.CreateTiles(config) is null && config.ImageProcessorType is not null)
                    ImageProcessors.Create(config);
            }),
            new("engine index", [EngineIndexOf(Engine(folder))], bytes => Start(Path.ChangeExtension(file, ".engine"), WithIndex(Engine(folder), bytes))),
            new("engine contents", [Contents(Engine(folder))], bytes => Start(Path.ChangeExtension(file, ".engine"), WithContents(Engine(folder), bytes))),
            .. new[] { "png", "jpg", "webp", "gif", "bmp" }.Select(kind => new FuzzTarget($"image {kind}", Files("*." + kind, Image(kind)), Decode)),
        ];
    }

    private static List<byte[]> Files(string pattern, byte[] own)
    {
        var seeds = new List<byte[]> { own };
        string?[] roots = [Fixtures.Root, Path.Combine(Fixtures.RepositoryRoot, "tests", "fixtures")];
        foreach (string root in roots.OfType<string>().Where(Directory.Exists).Distinct())
        {
            seeds.AddRange(Directory.EnumerateFiles(root, pattern, SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                .Where(f => new FileInfo(f).Length is > 0 and <= LongestSeed).Take(64).Select(File.ReadAllBytes));
        }

        return seeds;
    }

    private static byte[]? s_engine;

    /// <summary>A small engine file to begin with.</summary>
    private static byte[] Engine(string folder)
    {
        if (s_engine is null)
        {
            string path = Path.Combine(folder, "seed.engine");
            using var tiny = new TinyModel(layers: 1);
            EngineBuilder.BuildAsync(new ModelOptions { Path = tiny.Write() }, path, new BackendSelector([new CpuBackend()])).GetAwaiter().GetResult();
            s_engine = File.ReadAllBytes(path);
            File.Delete(path);
        }

        return s_engine;
    }

    private static int IndexOffset(byte[] engine) => (int)BitConverter.ToInt64(engine, 24);

    private static byte[] EngineIndexOf(byte[] engine) => engine[IndexOffset(engine)..];

    private static byte[] Contents(byte[] engine) => engine[EngineFormat.HeaderBytes..IndexOffset(engine)];

    // Hashes that agree, so that the reader looks at what was changed.
    private static byte[] WithIndex(byte[] engine, byte[] index) =>
        [.. EngineFormat.Header(IndexOffset(engine) + index.Length, IndexOffset(engine), index), .. Contents(engine), .. index];

    private static byte[] WithContents(byte[] engine, byte[] contents)
    {
        byte[] fitting = Contents(engine);
        contents.AsSpan(0, Math.Min(contents.Length, fitting.Length)).CopyTo(fitting);
        return [.. engine.AsSpan(0, EngineFormat.HeaderBytes), .. fitting, .. EngineIndexOf(engine)];
    }

    private static void Start(string path, byte[] bytes)
    {
        File.WriteAllBytes(path, bytes);
        PortableModel.LoadAsync(new ModelOptions { Path = path, ContextTokens = 16, Threads = 1 }, new BackendSelector([new CpuBackend()])).GetAwaiter().GetResult().Dispose();
    }

    private static void Open(string path, byte[] bytes)
    {
        File.WriteAllBytes(path, bytes);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        checkpoint.Summarize();
        foreach (CheckpointTensor tensor in checkpoint.Tensors.Take(4))
            checkpoint.TryReadVector(tensor.Name, out _);
    }

    private static void Use(Tokenizer tokenizer)
    {
        int[] ids = tokenizer.Encode("Hello, <|im_start|>world! 你好 12345\n", addSpecialTokens: true);
        tokenizer.Decode(ids);
    }

    private static void Render(byte[] bytes)
    {
        ChatTemplate template = ChatTemplate.Parse(Encoding.UTF8.GetString(bytes));
        template.Render(
            new Dictionary<string, TemplateValue>
            {
                ["messages"] = TemplateValue.List([TemplateValue.Object(("role", "user"), ("content", "Hi"))]), ["add_generation_prompt"] = true, ["bos_token"] = "<s>",
            },
            new TemplateOptions { MaxSteps = 20_000, MaxOutput = 1 << 16, MaxMemory = 4 << 20 });
    }

    private static void Configure(byte[] bytes)
    {
        JsonElement root = ModelFolder.ParseObject("config.json", bytes);
        HuggingFaceDecoder.Read("config.json", root, null);
        ConfigSection section = ConfigSection.Root("config.json", root);
        if (section.String("model_type") is { } type && VisionFamily.OfModelType(type) is { } family)
            VisionTowerReader.Read(section, family);
    }

    private static void Decode(byte[] bytes) => new SkiaImageDecoder().Decode(
        bytes, new ImageDecodeOptions { Limits = new ImageLimits { MaxPixels = 1 << 18, MaxDecodedBytes = 8 << 20 } });

    private static byte[] Safetensors()
    {
        byte[] header = Encoding.UTF8.GetBytes("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""");
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. new byte[8]];
    }

    private static byte[] Gguf() => [.. "GGUF"u8, 3, 0, 0, 0, .. new byte[16]];

    private static byte[] TokenizerSeed() => Encoding.UTF8.GetBytes(
        """{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},"post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}""");

    private static byte[] SentencePieceSeed() =>
        [0x0A, 0x0B, 0x0A, 5, .. "<unk>"u8, 0x18, 2, 0x18, 2, 0x0A, 8, 0x0A, 1, (byte)'a', 0x15, 0, 0, 0, 0x80, 0x12, 2, 0x18, 2];

    private static byte[] Image(string kind) => kind switch
    {
        "png" => [0x89, .. "PNG\r\n\x1A\n"u8],
        "jpg" => [0xFF, 0xD8, 0xFF, 0xE0],
        "webp" => [.. "RIFF\0\0\0\0WEBPVP8 "u8],
        "gif" => [.. "GIF89a"u8, 1, 0, 1, 0, 0, 0, 0],
        _ => [.. "BM"u8, .. new byte[52]],
    };
}
