namespace Portable.Checkpoints;

/// <summary>A tensor type of GGUF: a row is a whole number of blocks.</summary>
/// <param name="Id">The number in the file.</param>
/// <param name="Name">The name.</param>
/// <param name="BlockValues">Values of a block.</param>
/// <param name="BlockBytes">Bytes of a block.</param>
/// <param name="Blocks">How blocks become canonical; null for plain types and for types that are not read yet.</param>
internal sealed record GgufTensorType(uint Id, string Name, int BlockValues, int BlockBytes, IGgufBlocks? Blocks = null)
{
    // Numbers that are absent were removed from the format or never given.
    private static readonly GgufTensorType[] All =
    [
        new(0, "F32", 1, 4),
        new(1, "F16", 1, 2),
        new(2, "Q4_0", 32, 18, new Q4_0Blocks()),
        new(3, "Q4_1", 32, 20, new Q4_1Blocks()),
        new(6, "Q5_0", 32, 22, new Q5_0Blocks()),
        new(7, "Q5_1", 32, 24, new Q5_1Blocks()),
        new(8, "Q8_0", 32, 34, new Q8_0Blocks()),
        new(9, "Q8_1", 32, 36),
        new(10, "Q2_K", 256, 84, new Q2_KBlocks()),
        new(11, "Q3_K", 256, 110, new Q3_KBlocks()),
        new(12, "Q4_K", 256, 144, new Q4_KBlocks()),
        new(13, "Q5_K", 256, 176, new Q5_KBlocks()),
        new(14, "Q6_K", 256, 210, new Q6_KBlocks()),
        new(15, "Q8_K", 256, 292, new Q8_KBlocks()),
        new(16, "IQ2_XXS", 256, 66, new IQ2_XXSBlocks()),
        new(17, "IQ2_XS", 256, 74, new IQ2_XSBlocks()),
        new(18, "IQ3_XXS", 256, 98, new IQ3_XXSBlocks()),
        new(19, "IQ1_S", 256, 50, new IQ1_SBlocks()),
        new(20, "IQ4_NL", 32, 18, new IQ4_NLBlocks()),
        new(21, "IQ3_S", 256, 110, new IQ3_SBlocks()),
        new(22, "IQ2_S", 256, 82, new IQ2_SBlocks()),
        new(23, "IQ4_XS", 256, 136, new IQ4_XSBlocks()),
        new(24, "I8", 1, 1),
        new(25, "I16", 1, 2),
        new(26, "I32", 1, 4),
        new(27, "I64", 1, 8),
        new(28, "F64", 1, 8),
        new(29, "IQ1_M", 256, 56, new IQ1_MBlocks()),
        new(30, "BF16", 1, 2),
        new(34, "TQ1_0", 256, 54, new TQ1_0Blocks()),
        new(35, "TQ2_0", 256, 66, new TQ2_0Blocks()),
        new(39, "MXFP4", 32, 17, new MXFP4Blocks()),
        new(40, "NVFP4", 64, 36, new NVFP4Blocks()),
        new(41, "Q1_0", 128, 18, new Q1_0Blocks()),
        new(42, "Q2_0", 64, 18, new Q2_0Blocks()),
    ];

    private static readonly Dictionary<uint, GgufTensorType> ById = All.ToDictionary(static t => t.Id);
    private static readonly Dictionary<string, GgufTensorType> ByName = All.ToDictionary(static t => t.Name, StringComparer.Ordinal);

    /// <summary>The types that become canonical matrices, for messages.</summary>
    public static string Readable { get; } = string.Join(
        ", ", All.Where(static t => t.Blocks is not null || PlainTensors.Encoding(t.Name) is not null).Select(static t => t.Name));

    /// <summary>The type of a number; null where the format has none.</summary>
    public static GgufTensorType? Find(uint id) => ById.GetValueOrDefault(id);

    /// <summary>The type of a name; null where the format has none.</summary>
    public static GgufTensorType? Find(string name) => ByName.GetValueOrDefault(name);
}
