namespace Portable.Backends.Cpu;

/// <summary>
/// The oracle of the packed kernels: one row of activations times one panel of any form, one output after another.
/// Integer sums are exact; then, a block at a time, sum = fma(dot * activation scale, scale, sum) and, where there are
/// offsets, sum = fma(offset, activation sum, sum); a zero point of 8 is taken from the codes instead. Every other kernel gives these bits.
/// </summary>
internal static unsafe class ScalarPanel
{
    private const float HalfFactor = 1f / (1 << 28) / (1 << 28) / (1 << 28) / (1 << 28); // 2^-112, as ISimd.LoadHalves has it

    /// <summary>Writes 32 sums.</summary>
    public static void Run(byte* panel, PanelShape* shape, ActivationRows* row, float* sums)
    {
        bool halves = PanelShape.IsHalves(shape->Form), isCentred = shape->IsCentred;
        for (int output = 0; output < PanelShape.Outputs; output++)
        {
            float sum = 0;
            for (int block = 0; block < shape->Blocks; block++)
            {
                var header = (Half*)(panel + shape->HeaderOffset(block / shape->BlocksPerGroup)) + output;
                byte* codes = panel + shape->BlockOffset(block);
                sbyte* activations = row->Codes + (block * PanelShape.BlockInputs);
                float activationScale = row->Scales[block];
                float first = (float)header[0] * HalfFactor;
                float second = shape->Form switch
                {
                    PackedForm.Uniform4 => first * -shape->Zero,
                    PackedForm.Symmetric8 or PackedForm.Symmetric6 => 0,
                    _ => (float)header[PanelShape.Outputs] * HalfFactor,
                };
                int lower = Dot(codes, shape->Form, output, activations, 0), upper = Dot(codes, shape->Form, output, activations, 16);
                if (halves)
                {
                    sum = MathF.FusedMultiplyAdd(lower * activationScale, first, sum);
                    sum = MathF.FusedMultiplyAdd(upper * activationScale, second, sum);
                    continue;
                }

                if (isCentred)
                    lower -= 8 * Sum(activations);
                sum = MathF.FusedMultiplyAdd((lower + upper) * activationScale, first, sum);
                if (PanelShape.IsAffine(shape->Form) || (shape->Form == PackedForm.Uniform4 && !isCentred))
                    sum = MathF.FusedMultiplyAdd(second, row->Sums[block], sum);
            }

            sums[output] = sum;
        }
    }

    private static int Sum(sbyte* activations)
    {
        int sum = 0;
        for (int k = 0; k < PanelShape.BlockInputs; k++)
            sum += activations[k];
        return sum;
    }

    private static int Dot(byte* codes, PackedForm form, int output, sbyte* activations, int firstInput)
    {
        int dot = 0;
        for (int k = firstInput; k < firstInput + 16; k++)
            dot += Code(codes, form, output, k) * activations[k];
        return dot;
    }

    /// <summary>One code of a block: of one output and one of its 32 inputs.</summary>
    internal static int Code(byte* codes, PackedForm form, int output, int k)
    {
        if (PanelShape.BlockBytesOf(form) == 1024)
            return (sbyte)codes[(128 * (k / 4)) + (4 * output) + (k % 4)];
        bool isSix = PanelShape.BlockBytesOf(form) == 768;
        byte* half = isSix ? codes + (384 * (k / 16)) : codes;
        int pair = isSix ? half[128 + (128 * (k % 16 / 8)) + (4 * output) + (k % 4)] : codes[(128 * (k / 8)) + (4 * output) + (k % 4)];
        int low = k % 8 < 4 ? pair & 15 : pair >> 4;
        return isSix ? (low | ((half[(4 * output) + (k % 4)] >> (2 * (k % 16 / 4)) & 3) << 4)) - 32 : low;
    }
}
