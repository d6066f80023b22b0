namespace Portable.Decoding.Tokenization;

/// <summary>
/// The vocabulary of a GGUF file: the keys <c>tokenizer.ggml.*</c> (ggml-org/ggml, docs/gguf.md). Every key but the
/// model and the tokens may be absent.
/// </summary>
public sealed record GgufVocabulary
{
    /// <summary><c>tokenizer.ggml.model</c>: gpt2, llama, gemma4, t5, bert.</summary>
    public required string Model { get; init; }

    /// <summary>The merges, where they were made before.</summary>
    internal MergeTable? CompiledMerges { get; init; }

    /// <summary><c>tokenizer.ggml.pre</c>: how text is split before the merges.</summary>
    public string? Pre { get; init; }

    /// <summary><c>general.architecture</c>: tells apart what the tokenizer keys don't say.</summary>
    public string? Architecture { get; init; }

    /// <summary><c>tokenizer.ggml.tokens</c>, by id.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary><c>tokenizer.ggml.scores</c>, by id.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary><c>tokenizer.ggml.merges</c>: "left right", the best first.</summary>
    public IReadOnlyList<string>? Merges { get; init; }

    /// <summary>
    /// <c>tokenizer.ggml.token_type</c>, by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    /// </summary>
    public IReadOnlyList<int>? TokenTypes { get; init; }

    /// <summary><c>tokenizer.ggml.bos_token_id</c>.</summary>
    public int? BosId { get; init; }

    /// <summary><c>tokenizer.ggml.eos_token_id</c>.</summary>
    public int? EosId { get; init; }

    /// <summary><c>tokenizer.ggml.unknown_token_id</c>.</summary>
    public int? UnknownId { get; init; }

    /// <summary><c>tokenizer.ggml.cls_token_id</c>; BERT's beginning of a text.</summary>
    public int? ClassId { get; init; }

    /// <summary><c>tokenizer.ggml.seperator_token_id</c> (so spelt); BERT's end of a text.</summary>
    public int? SeparatorId { get; init; }

    /// <summary><c>tokenizer.ggml.add_bos_token</c>.</summary>
    public bool? AddBos { get; init; }

    /// <summary><c>tokenizer.ggml.add_eos_token</c>.</summary>
    public bool? AddEos { get; init; }

    /// <summary><c>tokenizer.ggml.add_space_prefix</c>.</summary>
    public bool? AddSpacePrefix { get; init; }

    /// <summary><c>tokenizer.ggml.remove_extra_whitespaces</c>.</summary>
    public bool? RemoveExtraWhitespaces { get; init; }

    /// <summary><c>tokenizer.ggml.precompiled_charsmap</c>, its bytes.</summary>
    public ReadOnlyMemory<byte>? PrecompiledCharsMap { get; init; }
}
