using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// Spreads blocks of a panel into what <see cref="TileProduct{TSimd, TVector, TForm}"/> reads: codes of 8 bits,
/// [8][32 outputs][4 inputs] a block, and 64 float factors a block: 32 scales, then 32 offsets or scales of the upper
/// half. The cost is shared by all rows of activations.
/// </summary>
/// <typeparam name="TSimd">The instructions.</typeparam>
/// <typeparam name="TVector">Their register.</typeparam>
internal static unsafe class PanelUnpacking<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Panels of <see cref="PackedForm.Uniform4"/> and <see cref="PackedForm.Affine4"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Nibbles(byte* panel, PanelShape* shape, int firstBlock, int blocks, byte* codes, float* factors)
    {
        bool affine = shape->Form == PackedForm.Affine4, centred = shape->IsCentred;
        TVector minusZero = TSimd.Broadcast(-shape->Zero);
        for (int block = firstBlock; block < firstBlock + blocks; block++, codes += PanelShape.UnpackedBlockBytes, factors += 2 * PanelShape.Outputs)
        {
            var header = (ushort*)(panel + shape->HeaderOffset(block / shape->BlocksPerGroup));
            for (int output = 0; output < PanelShape.Outputs; output += TSimd.Lanes)
            {
                TVector scale = TSimd.LoadHalves(header + output);
                TSimd.Store(scale, factors + output);
                if (!centred)
                {
                    TSimd.Store(
                        affine ? TSimd.LoadHalves(header + PanelShape.Outputs + output) : TSimd.Multiply(scale, minusZero),
                        factors + PanelShape.Outputs + output);
                }
            }

            byte* packed = panel + shape->BlockOffset(block);
            for (int v = 0; v < 4; v++)
            {
                for (int at = 0; at < 128; at += 4 * TSimd.Lanes)
                {
                    TVector pairs = TSimd.Load(packed + (128 * v) + at);
                    TSimd.Store(TSimd.LowNibbles(pairs), codes + (256 * v) + at);
                    TSimd.Store(TSimd.HighNibbles(pairs), codes + (256 * v) + 128 + at);
                }
            }
        }
    }

    /// <summary>Panels of 6-bit codes, which stay plus 32; the second factors of symmetric ones are not written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void SixBits(byte* panel, PanelShape* shape, int firstBlock, int blocks, byte* codes, float* factors)
    {
        int perHeader = shape->HeaderBytes / sizeof(ushort);
        for (int block = firstBlock; block < firstBlock + blocks; block++, factors += 2 * PanelShape.Outputs)
        {
            var header = (ushort*)(panel + shape->HeaderOffset(block / shape->BlocksPerGroup));
            for (int i = 0; i < perHeader; i += TSimd.Lanes)
                TSimd.Store(TSimd.LoadHalves(header + i), factors + i);
            byte* packed = panel + shape->BlockOffset(block);
            for (int half = 0; half < 2; half++, packed += 384, codes += 512)
            {
                for (int at = 0; at < 128; at += 4 * TSimd.Lanes)
                {
                    TVector high = TSimd.Load(packed + at), first = TSimd.Load(packed + 128 + at), second = TSimd.Load(packed + 256 + at);
                    TSimd.Store(TSimd.WithHighBits(TSimd.LowNibbles(first), high, 0), codes + at);
                    TSimd.Store(TSimd.WithHighBits(TSimd.HighNibbles(first), high, 1), codes + 128 + at);
                    TSimd.Store(TSimd.WithHighBits(TSimd.LowNibbles(second), high, 2), codes + 256 + at);
                    TSimd.Store(TSimd.WithHighBits(TSimd.HighNibbles(second), high, 3), codes + 384 + at);
                }
            }
        }
    }

    /// <summary>Panels of 8-bit codes, which are moved only, plus 128 where the instructions take them so; the second factors of symmetric ones are not written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Bytes(byte* panel, PanelShape* shape, int firstBlock, int blocks, byte* codes, float* factors)
    {
        int perHeader = shape->HeaderBytes / sizeof(ushort);
        for (int block = firstBlock; block < firstBlock + blocks; block++, codes += PanelShape.UnpackedBlockBytes, factors += 2 * PanelShape.Outputs)
        {
            var header = (ushort*)(panel + shape->HeaderOffset(block / shape->BlocksPerGroup));
            for (int i = 0; i < perHeader; i += TSimd.Lanes)
                TSimd.Store(TSimd.LoadHalves(header + i), factors + i);
            byte* packed = panel + shape->BlockOffset(block);
            if (TSimd.BytesAreShifted)
            {
                for (int at = 0; at < PanelShape.UnpackedBlockBytes; at += 4 * TSimd.Lanes)
                    TSimd.Store(TSimd.Shift128(TSimd.Load(packed + at)), codes + at);
            }
            else
            {
                Buffer.MemoryCopy(packed, codes, PanelShape.UnpackedBlockBytes, PanelShape.UnpackedBlockBytes);
            }
        }
    }
}
