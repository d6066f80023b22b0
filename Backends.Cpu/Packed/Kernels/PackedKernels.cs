using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The instruction sets the packed kernels exist for, in ascending order of preference.</summary>
internal enum KernelTier
{
    /// <summary>Plain C#: the oracle, and the path of machines with none of the others.</summary>
    Scalar,

    /// <summary>128-bit: SSSE3 or Advanced SIMD.</summary>
    Vector128,

    /// <summary>256-bit: AVX2 and FMA.</summary>
    Vector256,

    /// <summary>256-bit with AVX-VNNI.</summary>
    Vector256Vnni,

    /// <summary>512-bit: AVX-512F and BW.</summary>
    Vector512,
}

/// <summary>The kernels of one form and one instruction set.</summary>
internal readonly unsafe struct PackedKernels
{
    /// <summary>The best set of instructions this machine has.</summary>
    public static KernelTier Best { get; } = Enum.GetValues<KernelTier>().Where(IsSupported).Max();

    /// <summary>One row times one panel: (panel, shape, row, 32 sums).</summary>
    public delegate*<byte*, PanelShape*, ActivationRows*, float*, void> Vector { get; private init; }

    /// <summary>Blocks of a panel to scratch: (panel, shape, first block, blocks, codes, factors); null for the scalar tier.</summary>
    public delegate*<byte*, PanelShape*, int, int, byte*, float*, void> Unpack { get; private init; }

    /// <summary>Four rows times blocks in scratch: (codes, factors, rows, blocks, sums [4][32]); null for the scalar tier.</summary>
    public delegate*<byte*, float*, ActivationRows*, int, float*, void> Tile { get; private init; }

    /// <summary>Whether this machine has the instructions of a tier.</summary>
    public static bool IsSupported(KernelTier tier) => tier switch
    {
        KernelTier.Vector128 => Simd128.IsSupported,
        KernelTier.Vector256 => Simd256.IsSupported,
        KernelTier.Vector256Vnni => Simd256Vnni.IsSupported,
        KernelTier.Vector512 => Simd512.IsSupported,
        _ => true,
    };

    /// <summary>The fastest kernels of this machine for a shape: products of bytes gain more from dot products in one instruction than from wider registers.</summary>
    public static PackedKernels FastestFor(PanelShape shape) =>
        For(shape.BlockBytes == PanelShape.UnpackedBlockBytes && IsSupported(KernelTier.Vector256Vnni) ? KernelTier.Vector256Vnni : Best, shape);

    /// <summary>The kernels of a tier for a shape.</summary>
    public static PackedKernels For(KernelTier tier, PanelShape shape) => tier switch
    {
        KernelTier.Vector128 => Of<Simd128, Vector128<byte>>(shape),
        KernelTier.Vector256 => Of<Simd256, Vector256<byte>>(shape),
        KernelTier.Vector256Vnni => Of<Simd256Vnni, Vector256<byte>>(shape),
        KernelTier.Vector512 => Of<Simd512, Vector512<byte>>(shape),
        _ => new PackedKernels { Vector = &ScalarPanel.Run },
    };

    /// <summary>The kernels written in these instructions for a shape.</summary>
    public static PackedKernels Of<TSimd, TVector>(PanelShape shape)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => shape.Form switch
        {
            PackedForm.Uniform4 when shape.IsCentred => new()
            {
                Vector = &NibbleVector<TSimd, TVector, Tags.Centred4>.Run,
                Unpack = &PanelUnpacking<TSimd, TVector>.Nibbles,
                Tile = &TileProduct<TSimd, TVector, Tags.Centred4>.Run,
            },
            PackedForm.Uniform4 => new()
            {
                Vector = &NibbleVector<TSimd, TVector, Tags.Uniform4>.Run,
                Unpack = &PanelUnpacking<TSimd, TVector>.Nibbles,
                Tile = &TileProduct<TSimd, TVector, Tags.Affine4>.Run,
            },
            PackedForm.Affine4 => new()
            {
                Vector = &NibbleVector<TSimd, TVector, Tags.Affine4>.Run,
                Unpack = &PanelUnpacking<TSimd, TVector>.Nibbles,
                Tile = &TileProduct<TSimd, TVector, Tags.Affine4>.Run,
            },
            PackedForm.Symmetric8 => OfBytes<TSimd, TVector, Tags.Symmetric8>(),
            PackedForm.Affine8 => OfBytes<TSimd, TVector, Tags.Affine8>(),
            PackedForm.Halves8 => OfBytes<TSimd, TVector, Tags.Halves8>(),
            PackedForm.Symmetric6 => OfSixBits<TSimd, TVector, Tags.Symmetric6>(),
            PackedForm.Affine6 => OfSixBits<TSimd, TVector, Tags.Affine6>(),
            _ => OfSixBits<TSimd, TVector, Tags.Halves6>(),
        };

    private static PackedKernels OfBytes<TSimd, TVector, TForm>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TForm : struct => new()
        {
            Vector = &ByteVector<TSimd, TVector, TForm>.Run,
            Unpack = &PanelUnpacking<TSimd, TVector>.Bytes,
            Tile = &TileProduct<TSimd, TVector, TForm>.Run,
        };

    private static PackedKernels OfSixBits<TSimd, TVector, TForm>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TForm : struct => new()
        {
            Vector = &SixBitVector<TSimd, TVector, TForm>.Run,
            Unpack = &PanelUnpacking<TSimd, TVector>.SixBits,
            Tile = &TileProduct<TSimd, TVector, TForm>.Run,
        };
}
