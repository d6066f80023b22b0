using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// Four rows of activations times unpacked blocks of one panel, added to sums [4][32]: the kernel of prefill. Tiles are
/// four rows by two registers of outputs; every sum takes its blocks in ascending order and the same roundings as in
/// <see cref="NibbleVector{TSimd, TVector, TForm}"/> and <see cref="ByteVector{TSimd, TVector, TForm}"/>, so a row's result does not
/// depend on how many rows come with it.
/// </summary>
/// <typeparam name="TSimd">The instructions.</typeparam>
/// <typeparam name="TVector">Their register.</typeparam>
/// <typeparam name="TForm">One of <see cref="Tags"/>; <see cref="Tags.Affine4"/> serves both 4-bit forms, which look alike unpacked.</typeparam>
internal static unsafe class TileProduct<TSimd, TVector, TForm>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TForm : struct
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 4;

    /// <summary>Adds to sums [4][32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run(byte* codes, float* factors, ActivationRows* rows, int blocks, float* sums)
    {
        for (int output = 0; output < PanelShape.Outputs; output += 2 * TSimd.Lanes)
        {
            byte* line = codes + (4 * output);
            float* factor = factors + output;
            sbyte* activations = rows->Codes;
            float* scales = rows->Scales, activationSums = rows->Sums;
            float* sum = sums + output;
            TVector s00 = TSimd.Load(sum), s01 = TSimd.Load(sum + TSimd.Lanes);
            TVector s10 = TSimd.Load(sum + 32), s11 = TSimd.Load(sum + 32 + TSimd.Lanes);
            TVector s20 = TSimd.Load(sum + 64), s21 = TSimd.Load(sum + 64 + TSimd.Lanes);
            TVector s30 = TSimd.Load(sum + 96), s31 = TSimd.Load(sum + 96 + TSimd.Lanes);
            for (int block = 0; block < blocks; block++)
            {
                TVector d00 = TSimd.Zero, d01 = TSimd.Zero, d10 = TSimd.Zero, d11 = TSimd.Zero;
                TVector d20 = TSimd.Zero, d21 = TSimd.Zero, d30 = TSimd.Zero, d31 = TSimd.Zero;
                for (int half = 0; half < 2; half++)
                {
                    for (int step = 0; step < 4; step += 2)
                    {
                        TVector code0 = TSimd.Load(line), code1 = TSimd.Load(line + (4 * TSimd.Lanes));
                        Dot(ref d00, ref d01, code0, code1, activations);
                        Dot(ref d10, ref d11, code0, code1, activations + 4);
                        Dot(ref d20, ref d21, code0, code1, activations + 8);
                        Dot(ref d30, ref d31, code0, code1, activations + 12);
                        code0 = TSimd.Load(line + 128);
                        code1 = TSimd.Load(line + 128 + (4 * TSimd.Lanes));
                        Dot(ref d00, ref d01, code0, code1, activations + 16);
                        Dot(ref d10, ref d11, code0, code1, activations + 20);
                        Dot(ref d20, ref d21, code0, code1, activations + 24);
                        Dot(ref d30, ref d31, code0, code1, activations + 28);
                        line += 256;
                        activations += 32;
                    }

                    if (typeof(TForm) == typeof(Tags.Halves8) && half == 0)
                    {
                        TVector lower0 = TSimd.Load(factor), lower1 = TSimd.Load(factor + TSimd.Lanes);
                        Fold(ref s00, ref s01, d00, d01, lower0, lower1, scales);
                        Fold(ref s10, ref s11, d10, d11, lower0, lower1, scales + 1);
                        Fold(ref s20, ref s21, d20, d21, lower0, lower1, scales + 2);
                        Fold(ref s30, ref s31, d30, d31, lower0, lower1, scales + 3);
                        d00 = d01 = d10 = d11 = d20 = d21 = d30 = d31 = TSimd.Zero;
                    }
                }

                float* second = factor + PanelShape.Outputs;
                float* scaleAt = typeof(TForm) == typeof(Tags.Halves8) ? second : factor;
                TVector scale0 = TSimd.Load(scaleAt), scale1 = TSimd.Load(scaleAt + TSimd.Lanes);
                Fold(ref s00, ref s01, d00, d01, scale0, scale1, scales);
                Fold(ref s10, ref s11, d10, d11, scale0, scale1, scales + 1);
                Fold(ref s20, ref s21, d20, d21, scale0, scale1, scales + 2);
                Fold(ref s30, ref s31, d30, d31, scale0, scale1, scales + 3);
                if (typeof(TForm) == typeof(Tags.Affine4) || typeof(TForm) == typeof(Tags.Affine8))
                {
                    TVector offset0 = TSimd.Load(second), offset1 = TSimd.Load(second + TSimd.Lanes);
                    AddOffsets(ref s00, ref s01, offset0, offset1, activationSums);
                    AddOffsets(ref s10, ref s11, offset0, offset1, activationSums + 1);
                    AddOffsets(ref s20, ref s21, offset0, offset1, activationSums + 2);
                    AddOffsets(ref s30, ref s31, offset0, offset1, activationSums + 3);
                }

                factor += 2 * PanelShape.Outputs;
                scales += Rows;
                activationSums += Rows;
            }

            TSimd.Store(s00, sum);
            TSimd.Store(s01, sum + TSimd.Lanes);
            TSimd.Store(s10, sum + 32);
            TSimd.Store(s11, sum + 32 + TSimd.Lanes);
            TSimd.Store(s20, sum + 64);
            TSimd.Store(s21, sum + 64 + TSimd.Lanes);
            TSimd.Store(s30, sum + 96);
            TSimd.Store(s31, sum + 96 + TSimd.Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Dot(ref TVector dot0, ref TVector dot1, TVector code0, TVector code1, sbyte* activations)
    {
        TVector a = TSimd.Broadcast(activations);
        if (typeof(TForm) == typeof(Tags.Affine4))
        {
            dot0 = TSimd.DotNibbles(dot0, code0, a);
            dot1 = TSimd.DotNibbles(dot1, code1, a);
        }
        else
        {
            dot0 = TSimd.DotBytes(dot0, code0, a);
            dot1 = TSimd.DotBytes(dot1, code1, a);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold(
        ref TVector sum0, ref TVector sum1, TVector dot0, TVector dot1, TVector scale0, TVector scale1, float* activationScale)
    {
        if (typeof(TForm) == typeof(Tags.Affine4))
        {
            dot0 = TSimd.SumOfNibbles(dot0);
            dot1 = TSimd.SumOfNibbles(dot1);
        }

        TVector a = TSimd.Broadcast(*activationScale);
        sum0 = TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(dot0), a), scale0, sum0);
        sum1 = TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(dot1), a), scale1, sum1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOffsets(ref TVector sum0, ref TVector sum1, TVector offset0, TVector offset1, float* activationSum)
    {
        TVector a = TSimd.Broadcast(*activationSum);
        sum0 = TSimd.MultiplyAdd(offset0, a, sum0);
        sum1 = TSimd.MultiplyAdd(offset1, a, sum1);
    }
}
