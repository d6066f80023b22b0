using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// One row of activations times one panel of 8-bit codes, straight from the panel: the kernel of decode. Every line of
/// the panel is read once, in ascending order.
/// </summary>
/// <typeparam name="TSimd">The instructions.</typeparam>
/// <typeparam name="TVector">Their register.</typeparam>
/// <typeparam name="TForm"><see cref="Tags.Symmetric8"/>, <see cref="Tags.Affine8"/> or <see cref="Tags.Halves8"/>.</typeparam>
internal static unsafe class ByteVector<TSimd, TVector, TForm>
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
        sbyte* activations = row->Codes;
        int* starts = row->Starts + ActivationRows.SixBits;
        float* factors = stackalloc float[2 * PanelShape.Outputs];
        byte* codes = panel;
        for (int block = 0, left = 0; block < blocks; block++, left--)
        {
            if (left == 0)
            {
                int values = typeof(TForm) == typeof(Tags.Symmetric8) ? PanelShape.Outputs : 2 * PanelShape.Outputs;
                for (int i = 0; i < values; i += TSimd.Lanes)
                    TSimd.Store(TSimd.LoadHalves((ushort*)codes + i), factors + i);
                codes += values * sizeof(ushort);
                left = blocksPerGroup;
            }

            PanelPrefetch.Ahead(codes, typeof(TForm) == typeof(Tags.Symmetric8) ? 1088 : 1152);
            TVector activationScale = TSimd.Broadcast(row->Scales[block]);
            TVector activationSum = TSimd.Broadcast(row->Sums[block]);
            for (int output = 0; output < PanelShape.Outputs; output += 4 * TSimd.Lanes)
            {
                byte* line = codes + (4 * output);
                float* sum = sums + output, first = factors + output, second = first + PanelShape.Outputs;
                TVector dot0 = Start(starts), dot1 = dot0, dot2 = dot0, dot3 = dot0;
                for (int step = 0; step < 4; step++)
                    Step(line + (128 * step), activations + (4 * step), ref dot0, ref dot1, ref dot2, ref dot3);
                if (typeof(TForm) == typeof(Tags.Halves8))
                {
                    Fold(dot0, dot1, dot2, dot3, activationScale, first, sum);
                    dot0 = dot1 = dot2 = dot3 = Start(starts + 1);
                    first = second;
                }
                else if (TSimd.BytesAreShifted)
                {
                    TVector upper = Start(starts + 1);
                    dot0 = TSimd.AddIntegers(dot0, upper);
                    dot1 = TSimd.AddIntegers(dot1, upper);
                    dot2 = TSimd.AddIntegers(dot2, upper);
                    dot3 = TSimd.AddIntegers(dot3, upper);
                }

                for (int step = 4; step < 8; step++)
                    Step(line + (128 * step), activations + (4 * step), ref dot0, ref dot1, ref dot2, ref dot3);
                Fold(dot0, dot1, dot2, dot3, activationScale, first, sum);
                if (typeof(TForm) == typeof(Tags.Affine8))
                {
                    AddOffset(activationSum, second, sum);
                    AddOffset(activationSum, second + TSimd.Lanes, sum + TSimd.Lanes);
                    if (TSimd.Lanes < 16)
                    {
                        AddOffset(activationSum, second + (2 * TSimd.Lanes), sum + (2 * TSimd.Lanes));
                        AddOffset(activationSum, second + (3 * TSimd.Lanes), sum + (3 * TSimd.Lanes));
                    }
                }
            }

            codes += 1024;
            activations += PanelShape.BlockInputs;
            starts += ActivationRows.StartsPerBlock;
        }
    }

    // Four registers of outputs, or two where they hold the whole panel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        byte* line, sbyte* activations, ref TVector dot0, ref TVector dot1, ref TVector dot2, ref TVector dot3)
    {
        TVector a = TSimd.Broadcast(activations);
        dot0 = TSimd.DotBytes(dot0, Codes(line), a);
        dot1 = TSimd.DotBytes(dot1, Codes(line + (4 * TSimd.Lanes)), a);
        if (TSimd.Lanes < 16)
        {
            dot2 = TSimd.DotBytes(dot2, Codes(line + (8 * TSimd.Lanes)), a);
            dot3 = TSimd.DotBytes(dot3, Codes(line + (12 * TSimd.Lanes)), a);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Codes(byte* line) => TSimd.BytesAreShifted ? TSimd.Shift128(TSimd.Load(line)) : TSimd.Load(line);

    // -128 times the sum of the activations.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Start(int* starts) => TSimd.BytesAreShifted ? TSimd.TimesFour(TSimd.Broadcast((sbyte*)starts)) : TSimd.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold(TVector dot0, TVector dot1, TVector dot2, TVector dot3, TVector activationScale, float* scale, float* sum)
    {
        AddDot(dot0, activationScale, scale, sum);
        AddDot(dot1, activationScale, scale + TSimd.Lanes, sum + TSimd.Lanes);
        if (TSimd.Lanes < 16)
        {
            AddDot(dot2, activationScale, scale + (2 * TSimd.Lanes), sum + (2 * TSimd.Lanes));
            AddDot(dot3, activationScale, scale + (3 * TSimd.Lanes), sum + (3 * TSimd.Lanes));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddDot(TVector dot, TVector activationScale, float* scale, float* sum) =>
        TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(dot), activationScale), TSimd.Load(scale), TSimd.Load(sum)), sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOffset(TVector activationSum, float* offset, float* sum) =>
        TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(offset), activationSum, TSimd.Load(sum)), sum);
}
