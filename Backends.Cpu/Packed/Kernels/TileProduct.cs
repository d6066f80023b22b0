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
/// <typeparam name="TForm">One of <see cref="Tags"/>; <see cref="Tags.Affine4"/> serves <see cref="Tags.Uniform4"/> too, which looks alike unpacked.</typeparam>
internal static unsafe class TileProduct<TSimd, TVector, TForm>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TForm : struct
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 4;

    private const int StartStride = ActivationRows.StartsPerBlock;

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
            int* starts = rows->Starts + (typeof(TForm) == typeof(Tags.Centred4) ? TSimd.NibbleStart : ActivationRows.SixBits);
            float* sum = sums + output;
            TVector s00 = TSimd.Load(sum), s01 = TSimd.Load(sum + TSimd.Lanes);
            TVector s10 = TSimd.Load(sum + 32), s11 = TSimd.Load(sum + 32 + TSimd.Lanes);
            TVector s20 = TSimd.Load(sum + 64), s21 = TSimd.Load(sum + 64 + TSimd.Lanes);
            TVector s30 = TSimd.Load(sum + 96), s31 = TSimd.Load(sum + 96 + TSimd.Lanes);
            for (int block = 0; block < blocks; block++)
            {
                TVector d00 = Start(starts), d01 = d00, d10 = Start(starts + StartStride), d11 = d10;
                TVector d20 = Start(starts + (2 * StartStride)), d21 = d20, d30 = Start(starts + (3 * StartStride)), d31 = d30;
                for (int half = 0; half < 2; half++)
                {
                    for (int step = 0; step < 4; step += 2)
                    {
                        TVector code0 = TSimd.Load(line), code1 = TSimd.Load(line + (4 * TSimd.Lanes));
                        TVector next0 = TSimd.Load(line + 128), next1 = TSimd.Load(line + 128 + (4 * TSimd.Lanes));
                        Dot(ref d00, ref d01, code0, code1, next0, next1, activations);
                        Dot(ref d10, ref d11, code0, code1, next0, next1, activations + 4);
                        Dot(ref d20, ref d21, code0, code1, next0, next1, activations + 8);
                        Dot(ref d30, ref d31, code0, code1, next0, next1, activations + 12);
                        line += 256;
                        activations += 32;
                    }

                    if (half == 0 && (typeof(TForm) == typeof(Tags.Halves8) || typeof(TForm) == typeof(Tags.Halves6)))
                    {
                        TVector lower0 = TSimd.Load(factor), lower1 = TSimd.Load(factor + TSimd.Lanes);
                        Fold(ref s00, ref s01, d00, d01, lower0, lower1, scales);
                        Fold(ref s10, ref s11, d10, d11, lower0, lower1, scales + 1);
                        Fold(ref s20, ref s21, d20, d21, lower0, lower1, scales + 2);
                        Fold(ref s30, ref s31, d30, d31, lower0, lower1, scales + 3);
                        d00 = d01 = Start(starts + 1);
                        d10 = d11 = Start(starts + StartStride + 1);
                        d20 = d21 = Start(starts + (2 * StartStride) + 1);
                        d30 = d31 = Start(starts + (3 * StartStride) + 1);
                    }
                    else if (half == 0 && (typeof(TForm) == typeof(Tags.Symmetric6) || typeof(TForm) == typeof(Tags.Affine6)
                        || (typeof(TSimd) == typeof(Simd256Vnni) && (typeof(TForm) == typeof(Tags.Symmetric8) || typeof(TForm) == typeof(Tags.Affine8)))))
                    {
                        AddStart(ref d00, ref d01, starts + 1);
                        AddStart(ref d10, ref d11, starts + StartStride + 1);
                        AddStart(ref d20, ref d21, starts + (2 * StartStride) + 1);
                        AddStart(ref d30, ref d31, starts + (3 * StartStride) + 1);
                    }
                }

                float* second = factor + PanelShape.Outputs;
                float* scaleAt = typeof(TForm) == typeof(Tags.Halves8) || typeof(TForm) == typeof(Tags.Halves6) ? second : factor;
                TVector scale0 = TSimd.Load(scaleAt), scale1 = TSimd.Load(scaleAt + TSimd.Lanes);
                Fold(ref s00, ref s01, d00, d01, scale0, scale1, scales);
                Fold(ref s10, ref s11, d10, d11, scale0, scale1, scales + 1);
                Fold(ref s20, ref s21, d20, d21, scale0, scale1, scales + 2);
                Fold(ref s30, ref s31, d30, d31, scale0, scale1, scales + 3);
                if (typeof(TForm) == typeof(Tags.Affine4) || typeof(TForm) == typeof(Tags.Affine8) || typeof(TForm) == typeof(Tags.Affine6))
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
                starts += Rows * StartStride;
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

    // Two steps of four inputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Dot(ref TVector dot0, ref TVector dot1, TVector code0, TVector code1, TVector next0, TVector next1, sbyte* activations)
    {
        TVector a = TSimd.Broadcast(activations), b = TSimd.Broadcast(activations + (4 * Rows));
        if (typeof(TForm) == typeof(Tags.Affine4) || typeof(TForm) == typeof(Tags.Centred4))
        {
            dot0 = TSimd.DotNibbles(dot0, code0, a);
            dot1 = TSimd.DotNibbles(dot1, code1, a);
            dot0 = TSimd.DotNibbles(dot0, next0, b);
            dot1 = TSimd.DotNibbles(dot1, next1, b);
        }
        else if (typeof(TForm) == typeof(Tags.Symmetric6) || typeof(TForm) == typeof(Tags.Affine6) || typeof(TForm) == typeof(Tags.Halves6))
        {
            dot0 = TSimd.DotSixBits(dot0, code0, next0, a, b);
            dot1 = TSimd.DotSixBits(dot1, code1, next1, a, b);
        }
        else
        {
            dot0 = TSimd.DotBytes(dot0, code0, a);
            dot1 = TSimd.DotBytes(dot1, code1, a);
            dot0 = TSimd.DotBytes(dot0, next0, b);
            dot1 = TSimd.DotBytes(dot1, next1, b);
        }
    }

    // Conditions on types are decided before anything is inlined, those on properties after: only the former keep the
    // compiler from giving up on what is left.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Start(int* starts)
    {
        if (typeof(TForm) == typeof(Tags.Centred4) || typeof(TForm) == typeof(Tags.Symmetric6) || typeof(TForm) == typeof(Tags.Affine6) || typeof(TForm) == typeof(Tags.Halves6))
            return TSimd.Broadcast((sbyte*)starts);
        if (typeof(TSimd) == typeof(Simd256Vnni) && typeof(TForm) != typeof(Tags.Affine4))
            return TSimd.TimesFour(TSimd.Broadcast((sbyte*)starts));
        return TSimd.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddStart(ref TVector dot0, ref TVector dot1, int* starts)
    {
        TVector start = Start(starts);
        dot0 = TSimd.AddIntegers(dot0, start);
        dot1 = TSimd.AddIntegers(dot1, start);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold(
        ref TVector sum0, ref TVector sum1, TVector dot0, TVector dot1, TVector scale0, TVector scale1, float* activationScale)
    {
        if (typeof(TForm) == typeof(Tags.Affine4) || typeof(TForm) == typeof(Tags.Centred4))
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
