using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>One row of activations times one panel of 8-bit codes, straight from the panel: the kernel of decode.</summary>
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
        ushort* header = null;
        byte* codes = panel;
        for (int block = 0, left = 0; block < blocks; block++, left--)
        {
            if (left == 0)
            {
                header = (ushort*)codes;
                codes += typeof(TForm) == typeof(Tags.Symmetric8) ? 64 : 128;
                left = blocksPerGroup;
            }

            TVector activationScale = TSimd.Broadcast(row->Scales[block]);
            TVector activationSum = TSimd.Broadcast(row->Sums[block]);
            for (int output = 0; output < PanelShape.Outputs; output += TSimd.Lanes)
            {
                byte* line = codes + (4 * output);
                ushort* first = header + output;
                TVector sum = TSimd.Load(sums + output);
                TVector dot = Half(TSimd.Zero, line, activations);
                if (typeof(TForm) == typeof(Tags.Halves8))
                {
                    sum = Fold(dot, activationScale, TSimd.LoadHalves(first), sum);
                    dot = Half(TSimd.Zero, line + 512, activations + 16);
                    sum = Fold(dot, activationScale, TSimd.LoadHalves(first + PanelShape.Outputs), sum);
                }
                else
                {
                    dot = Half(dot, line + 512, activations + 16);
                    sum = Fold(dot, activationScale, TSimd.LoadHalves(first), sum);
                    if (typeof(TForm) == typeof(Tags.Affine8))
                        sum = TSimd.MultiplyAdd(TSimd.LoadHalves(first + PanelShape.Outputs), activationSum, sum);
                }

                TSimd.Store(sum, sums + output);
            }

            codes += 1024;
            activations += PanelShape.BlockInputs;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Half(TVector dot, byte* line, sbyte* activations)
    {
        dot = TSimd.DotBytes(dot, TSimd.Load(line), TSimd.Broadcast(activations));
        dot = TSimd.DotBytes(dot, TSimd.Load(line + 128), TSimd.Broadcast(activations + 4));
        dot = TSimd.DotBytes(dot, TSimd.Load(line + 256), TSimd.Broadcast(activations + 8));
        return TSimd.DotBytes(dot, TSimd.Load(line + 384), TSimd.Broadcast(activations + 12));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Fold(TVector dot, TVector activationScale, TVector scale, TVector sum) =>
        TSimd.MultiplyAdd(TSimd.Multiply(TSimd.ToFloat(dot), activationScale), scale, sum);
}
