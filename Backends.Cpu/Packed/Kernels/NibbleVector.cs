using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>One row of activations times one panel of 4-bit codes, straight from the panel: the kernel of decode.</summary>
/// <typeparam name="TSimd">The instructions.</typeparam>
/// <typeparam name="TVector">Their register.</typeparam>
/// <typeparam name="TForm"><see cref="Tags.Uniform4"/> or <see cref="Tags.Affine4"/>.</typeparam>
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
        ushort* header = null;
        byte* codes = panel;
        for (int block = 0, left = 0; block < blocks; block++, left--)
        {
            if (left == 0)
            {
                header = (ushort*)codes;
                codes += typeof(TForm) == typeof(Tags.Affine4) ? 128 : 64;
                left = blocksPerGroup;
            }

            TVector activationScale = TSimd.Broadcast(row->Scales[block]);
            TVector activationSum = TSimd.Broadcast(row->Sums[block]);
            for (int output = 0; output < PanelShape.Outputs; output += 2 * TSimd.Lanes)
            {
                byte* line = codes + (4 * output);
                TVector dot0 = TSimd.Zero, dot1 = TSimd.Zero;
                Step(line, activations, ref dot0, ref dot1);
                Step(line + 128, activations + 8, ref dot0, ref dot1);
                Step(line + 256, activations + 16, ref dot0, ref dot1);
                Step(line + 384, activations + 24, ref dot0, ref dot1);
                Fold(dot0, header + output, sums + output, activationScale, activationSum, minusZero);
                Fold(dot1, header + output + TSimd.Lanes, sums + output + TSimd.Lanes, activationScale, activationSum, minusZero);
            }

            codes += 512;
            activations += PanelShape.BlockInputs;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(byte* line, sbyte* activations, ref TVector dot0, ref TVector dot1)
    {
        TVector pairs0 = TSimd.Load(line), pairs1 = TSimd.Load(line + (4 * TSimd.Lanes));
        TVector low = TSimd.Broadcast(activations), high = TSimd.Broadcast(activations + 4);
        dot0 = TSimd.DotNibbles(dot0, TSimd.LowNibbles(pairs0), low);
        dot1 = TSimd.DotNibbles(dot1, TSimd.LowNibbles(pairs1), low);
        dot0 = TSimd.DotNibbles(dot0, TSimd.HighNibbles(pairs0), high);
        dot1 = TSimd.DotNibbles(dot1, TSimd.HighNibbles(pairs1), high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold(
        TVector dot, ushort* header, float* sums, TVector activationScale, TVector activationSum, TVector minusZero)
    {
        TVector scale = TSimd.LoadHalves(header);
        TVector offset = typeof(TForm) == typeof(Tags.Affine4)
            ? TSimd.LoadHalves(header + PanelShape.Outputs)
            : TSimd.Multiply(scale, minusZero);
        TVector sum = TSimd.Load(sums);
        sum = TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(TSimd.SumOfNibbles(dot)), activationScale), scale, sum);
        TSimd.Store(TSimd.MultiplyAdd(offset, activationSum, sum), sums);
    }
}
