using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// One row of activations times one panel of 4-bit codes, straight from the panel: the kernel of decode. Every line of
/// the panel is read once, in ascending order: read out of order, the same bytes take up to twice the time.
/// </summary>
/// <typeparam name="TSimd">The instructions.</typeparam>
/// <typeparam name="TVector">Their register.</typeparam>
/// <typeparam name="TForm"><see cref="Tags.Uniform4"/>, <see cref="Tags.Centred4"/> or <see cref="Tags.Affine4"/>.</typeparam>
internal static unsafe class NibbleVector<TSimd, TVector, TForm>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TForm : struct
{
    /// <summary>Writes 32 sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run(byte* panel, PanelShape* shape, ActivationRows* row, float* sums)
    {
        new Span<float>(sums, PanelShape.Outputs).Clear();
        int blocks = shape->Blocks, blocksPerGroup = shape->BlocksPerGroup;
        TVector minusZero = TSimd.Broadcast(-shape->Zero);
        sbyte* activations = row->Codes;
        int* starts = row->Starts + TSimd.NibbleStart;
        float* factors = stackalloc float[2 * PanelShape.Outputs];
        byte* codes = panel;
        for (int block = 0, left = 0; block < blocks; block++, left--)
        {
            if (left == 0)
            {
                LoadHeader((ushort*)codes, factors, minusZero);
                codes += typeof(TForm) == typeof(Tags.Affine4) ? 128 : 64;
                left = blocksPerGroup;
            }

            PanelPrefetch.Ahead(codes, typeof(TForm) == typeof(Tags.Affine4) ? 640 : 576);
            TVector activationScale = TSimd.Broadcast(row->Scales[block]);
            TVector activationSum = TSimd.Broadcast(row->Sums[block]);
            for (int output = 0; output < PanelShape.Outputs; output += 4 * TSimd.Lanes)
            {
                byte* line = codes + (4 * output);
                TVector start = typeof(TForm) == typeof(Tags.Centred4) ? TSimd.Broadcast((sbyte*)starts) : TSimd.Zero;
                TVector dot0 = start, dot1 = start, dot2 = start, dot3 = start;
                Step(line, activations, ref dot0, ref dot1, ref dot2, ref dot3);
                Step(line + 128, activations + 8, ref dot0, ref dot1, ref dot2, ref dot3);
                Step(line + 256, activations + 16, ref dot0, ref dot1, ref dot2, ref dot3);
                Step(line + 384, activations + 24, ref dot0, ref dot1, ref dot2, ref dot3);
                Fold(dot0, factors + output, sums + output, activationScale, activationSum);
                Fold(dot1, factors + output + TSimd.Lanes, sums + output + TSimd.Lanes, activationScale, activationSum);
                if (TSimd.Lanes < 16)
                {
                    Fold(dot2, factors + output + (2 * TSimd.Lanes), sums + output + (2 * TSimd.Lanes), activationScale, activationSum);
                    Fold(dot3, factors + output + (3 * TSimd.Lanes), sums + output + (3 * TSimd.Lanes), activationScale, activationSum);
                }
            }

            codes += 512;
            activations += PanelShape.BlockInputs;
            starts += ActivationRows.StartsPerBlock;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadHeader(ushort* header, float* factors, TVector minusZero)
    {
        for (int output = 0; output < PanelShape.Outputs; output += TSimd.Lanes)
        {
            TVector scale = TSimd.LoadHalves(header + output);
            TSimd.Store(scale, factors + output);
            if (typeof(TForm) == typeof(Tags.Uniform4))
                TSimd.Store(TSimd.Multiply(scale, minusZero), factors + PanelShape.Outputs + output);
        }

        if (typeof(TForm) == typeof(Tags.Affine4))
        {
            for (int output = PanelShape.Outputs; output < 2 * PanelShape.Outputs; output += TSimd.Lanes)
                TSimd.Store(TSimd.LoadHalves(header + output), factors + output);
        }
    }

    // Four registers of outputs, or two where they hold the whole panel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        byte* line, sbyte* activations, ref TVector dot0, ref TVector dot1, ref TVector dot2, ref TVector dot3)
    {
        TVector low = TSimd.Broadcast(activations), high = TSimd.Broadcast(activations + 4);
        TVector pairs0 = TSimd.Load(line), pairs1 = TSimd.Load(line + (4 * TSimd.Lanes));
        dot0 = TSimd.DotNibbles(dot0, TSimd.LowNibbles(pairs0), low);
        dot1 = TSimd.DotNibbles(dot1, TSimd.LowNibbles(pairs1), low);
        dot0 = TSimd.DotNibbles(dot0, TSimd.HighNibbles(pairs0), high);
        dot1 = TSimd.DotNibbles(dot1, TSimd.HighNibbles(pairs1), high);
        if (TSimd.Lanes < 16)
        {
            TVector pairs2 = TSimd.Load(line + (8 * TSimd.Lanes)), pairs3 = TSimd.Load(line + (12 * TSimd.Lanes));
            dot2 = TSimd.DotNibbles(dot2, TSimd.LowNibbles(pairs2), low);
            dot3 = TSimd.DotNibbles(dot3, TSimd.LowNibbles(pairs3), low);
            dot2 = TSimd.DotNibbles(dot2, TSimd.HighNibbles(pairs2), high);
            dot3 = TSimd.DotNibbles(dot3, TSimd.HighNibbles(pairs3), high);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold(TVector dot, float* factors, float* sums, TVector activationScale, TVector activationSum)
    {
        TVector sum = TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(TSimd.SumOfNibbles(dot)), activationScale), TSimd.Load(factors), TSimd.Load(sums));
        if (typeof(TForm) != typeof(Tags.Centred4))
            sum = TSimd.MultiplyAdd(TSimd.Load(factors + PanelShape.Outputs), activationSum, sum);
        TSimd.Store(sum, sums);
    }
}
