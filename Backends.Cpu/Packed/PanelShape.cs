namespace Portable.Backends.Cpu;

/// <summary>
/// The layout of one panel: 32 neighbouring outputs, contiguous over all inputs, so that a thread that owns panels
/// reads memory in strictly ascending order. Inputs come in blocks of 32; a group is one or more blocks that share
/// their scales. For every group:
/// <code>
/// header   32 binary16 scales, one per output; then, unless the form has scales only, 32 binary16 offsets
///          (Affine) or the scales of the upper 16 inputs (Halves)
/// blocks   4 bits, 512 bytes: for v in 0..3, 32 dwords, one per output c; byte b of a dword holds
///          code[c][8v + b] in its low and code[c][8v + 4 + b] in its high nibble
///          6 bits, 768 bytes, codes plus 32: for h in 0..1, 32 dwords, one per output c, whose byte b holds the upper
///          two bits of code[c][16h + 4g + b] at its bits 2g, g in 0..3; then as in 4 bits the lower four bits of inputs
///          16h to 16h + 15
///          8 bits, 1024 bytes: for v in 0..7, 32 dwords, one per output c; byte b is code[c][4v + b]
/// </code>
/// Outputs and inputs that only fill up the last panel and the last block have scale and code zero.
/// </summary>
internal readonly struct PanelShape
{
    /// <summary>Outputs of a panel.</summary>
    public const int Outputs = 32;

    /// <summary>Inputs of a block.</summary>
    public const int BlockInputs = 32;

    /// <summary>Bytes of a block as the matrix product reads it: 8 bits per code whatever the form.</summary>
    public const int UnpackedBlockBytes = Outputs * BlockInputs;

    /// <summary>Describes the panels of a matrix with this many columns.</summary>
    public PanelShape(PackedForm form, int columns, int groupSize, int zeroPoint)
    {
        Form = form;
        Blocks = (int)(((long)columns + BlockInputs - 1) / BlockInputs);
        BlocksPerGroup = groupSize >= columns ? Math.Max(Blocks, 1) : Math.Max(groupSize / BlockInputs, 1);
        Zero = zeroPoint;
    }

    /// <summary>What is stored.</summary>
    public PackedForm Form { get; }

    /// <summary>Blocks of a panel.</summary>
    public int Blocks { get; }

    /// <summary>Blocks that share a header; the last group may have fewer.</summary>
    public int BlocksPerGroup { get; }

    /// <summary>The zero point of <see cref="PackedForm.Uniform4"/>.</summary>
    public float Zero { get; }

    /// <summary>Bytes of a header.</summary>
    public int HeaderBytes => HeaderBytesOf(Form);

    /// <summary>Bytes of a block.</summary>
    public int BlockBytes => BlockBytesOf(Form);

    /// <summary>Bytes of a panel.</summary>
    public long PanelBytes => ((long)Blocks * BlockBytes) + ((Blocks + BlocksPerGroup - 1L) / BlocksPerGroup * HeaderBytes);

    /// <summary>Bytes of a header of a form.</summary>
    public static int HeaderBytesOf(PackedForm form) => form is PackedForm.Uniform4 or PackedForm.Symmetric8 or PackedForm.Symmetric6 ? 64 : 128;

    /// <summary>Bytes of a block of a form.</summary>
    public static int BlockBytesOf(PackedForm form) => form switch
    {
        PackedForm.Uniform4 or PackedForm.Affine4 => 512,
        PackedForm.Symmetric6 or PackedForm.Affine6 or PackedForm.Halves6 => 768,
        _ => 1024,
    };

    /// <summary>Whether either half of a block has a scale of its own.</summary>
    public static bool IsHalves(PackedForm form) => form is PackedForm.Halves8 or PackedForm.Halves6;

    /// <summary>Whether groups have offsets.</summary>
    public static bool IsAffine(PackedForm form) => form is PackedForm.Affine4 or PackedForm.Affine8 or PackedForm.Affine6;

    /// <summary>Whether codes are 4 bits with the zero point 8.</summary>
    public bool IsCentred => Form == PackedForm.Uniform4 && Zero == 8;

    /// <summary>Where the header of a group lies in a panel.</summary>
    public long HeaderOffset(int group) => group * (HeaderBytes + ((long)BlocksPerGroup * BlockBytes));

    /// <summary>Where a block lies in a panel.</summary>
    public long BlockOffset(int block) => ((block / BlocksPerGroup + 1L) * HeaderBytes) + ((long)block * BlockBytes);
}
