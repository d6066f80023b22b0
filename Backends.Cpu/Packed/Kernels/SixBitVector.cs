using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// One row of activations times one panel of 6-bit codes, straight from the panel: the kernel of decode. Every line of
/// the panel is read once, in ascending order.
/// </summary>
/// <typeparam name="TSimd">The instructions.</typeparam>
/// <typeparam name="TVector">Their register.</typeparam>
/// <typeparam name="TForm"><see cref="Tags.Symmetric6"/>, <see cref="Tags.Affine6"/> or <see cref="Tags.Halves6"/>.</typeparam>
internal static unsafe class SixBitVector<TSimd, TVector, TForm>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TForm : struct
{
    private const int HalfBytes = 384;

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
                int values = typeof(TForm) == typeof(Tags.Symmetric6) ? PanelShape.Outputs : 2 * PanelShape.Outputs;
                for (int i = 0; i < values; i += TSimd.Lanes)
                    TSimd.Store(TSimd.LoadHalves((ushort*)codes + i), factors + i);
                codes += values * sizeof(ushort);
                left = blocksPerGroup;
            }

            PanelPrefetch.Ahead(codes, typeof(TForm) == typeof(Tags.Symmetric6) ? 832 : 896);
            TVector activationScale = TSimd.Broadcast(row->Scales[block]);
            TVector activationSum = TSimd.Broadcast(row->Sums[block]);
            TVector lower = TSimd.Broadcast((sbyte*)starts), upper = TSimd.Broadcast((sbyte*)(starts + 1));
            for (int output = 0; output < PanelShape.Outputs; output += 2 * TSimd.Lanes)
            {
                byte* line = codes + (4 * output);
                float* sum = sums + output, scale = factors + output;
                TVector dot0 = lower, dot1 = lower;
                Half(line, activations, ref dot0, ref dot1);
                if (typeof(TForm) == typeof(Tags.Halves6))
                {
                    AddDot(dot0, activationScale, scale, sum);
                    AddDot(dot1, activationScale, scale + TSimd.Lanes, sum + TSimd.Lanes);
                    dot0 = dot1 = upper;
                    scale += PanelShape.Outputs;
                }
                else
                {
                    dot0 = TSimd.AddIntegers(dot0, upper);
                    dot1 = TSimd.AddIntegers(dot1, upper);
                }

                Half(line + HalfBytes, activations + 16, ref dot0, ref dot1);
                AddDot(dot0, activationScale, scale, sum);
                AddDot(dot1, activationScale, scale + TSimd.Lanes, sum + TSimd.Lanes);
                if (typeof(TForm) == typeof(Tags.Affine6))
                {
                    float* offset = factors + PanelShape.Outputs + output;
                    AddOffset(activationSum, offset, sum);
                    AddOffset(activationSum, offset + TSimd.Lanes, sum + TSimd.Lanes);
                }
            }

            codes += 2 * HalfBytes;
            activations += PanelShape.BlockInputs;
            starts += ActivationRows.StartsPerBlock;
        }
    }

    // Sixteen inputs of two registers of outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half(byte* line, sbyte* activations, ref TVector dot0, ref TVector dot1)
    {
        TVector high0 = TSimd.Load(line), high1 = TSimd.Load(line + (4 * TSimd.Lanes));
        TVector a0 = TSimd.Broadcast(activations), a1 = TSimd.Broadcast(activations + 4);
        TVector pairs0 = TSimd.Load(line + 128), pairs1 = TSimd.Load(line + 128 + (4 * TSimd.Lanes));
        dot0 = TSimd.DotSixBits(dot0, TSimd.WithHighBits(TSimd.LowNibbles(pairs0), high0, 0), TSimd.WithHighBits(TSimd.HighNibbles(pairs0), high0, 1), a0, a1);
        dot1 = TSimd.DotSixBits(dot1, TSimd.WithHighBits(TSimd.LowNibbles(pairs1), high1, 0), TSimd.WithHighBits(TSimd.HighNibbles(pairs1), high1, 1), a0, a1);
        a0 = TSimd.Broadcast(activations + 8);
        a1 = TSimd.Broadcast(activations + 12);
        pairs0 = TSimd.Load(line + 256);
        pairs1 = TSimd.Load(line + 256 + (4 * TSimd.Lanes));
        dot0 = TSimd.DotSixBits(dot0, TSimd.WithHighBits(TSimd.LowNibbles(pairs0), high0, 2), TSimd.WithHighBits(TSimd.HighNibbles(pairs0), high0, 3), a0, a1);
        dot1 = TSimd.DotSixBits(dot1, TSimd.WithHighBits(TSimd.LowNibbles(pairs1), high1, 2), TSimd.WithHighBits(TSimd.HighNibbles(pairs1), high1, 3), a0, a1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddDot(TVector dot, TVector activationScale, float* scale, float* sum) =>
        TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(dot), activationScale), TSimd.Load(scale), TSimd.Load(sum)), sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOffset(TVector activationSum, float* offset, float* sum) =>
        TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(offset), activationSum, TSimd.Load(sum)), sum);
}
