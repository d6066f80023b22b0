using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// AutoAWQ's GEMM layout: <c>qweight</c> int32 [K, N/8], <c>qzeros</c> int32 [groups, N/8], <c>scales</c> float16
/// [groups, N]. Column n lies in word n/8, in nibble 0, 4, 1, 5, 2, 6, 3, 7 for n % 8 = 0 … 7; zero points are packed
/// alike and stored as they are. w = (q - z) * s.
/// </summary>
internal sealed unsafe class AwqGemmLayout : IQuantizedLayout
{
    private const int CodesPerWord = 8;

    // Output columns 8c … 8c + 7 in the order of the word's nibbles.
    private static ReadOnlySpan<byte> ColumnOfNibble => [0, 2, 4, 6, 1, 3, 5, 7];

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, false, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format);
        using MappedFile.Lease codes = parts.Codes.Source.Acquire();
        using MappedFile.Lease zeros = parts.Zeros.Source.Acquire();
        using MappedFile.Lease scales = parts.Scales.Source.Acquire();
        int words = parts.Outputs / CodesPerWord;
        // Outputs are independent, and this is a fifth of the work of loading: all cores take part.
        nint codeWords = (nint)(codes.Pointer + parts.Codes.Position), zeroWords = (nint)(zeros.Pointer + parts.Zeros.Position), scaleRows = (nint)(scales.Pointer + parts.Scales.Position);
        try
        {
            Parallel.For(0, (words + NibbleTranspose.TileWords - 1) / NibbleTranspose.TileWords, tile =>
            {
                int first = tile * NibbleTranspose.TileWords, count = Math.Min(NibbleTranspose.TileWords, words - first);
                NibbleTranspose.Transpose((uint*)codeWords, parts.Inputs, words, first, count, ColumnOfNibble, matrix);
                ReadGroups(matrix, (byte*)zeroWords, (byte*)scaleRows, parts.ScaleEncoding, words, first, count);
            });
            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    /// <summary>Zero points and scales of the outputs of some words.</summary>
    private static void ReadGroups(WeightMatrix matrix, byte* zeros, byte* scales, WeightEncoding scaleEncoding, int words, int firstWord, int count)
    {
        Span<float> row = stackalloc float[count * CodesPerWord];
        int scaleBytes = new WeightFormat(scaleEncoding).Bits / 8, firstRow = firstWord * CodesPerWord;
        for (int group = 0; group < matrix.Groups; group++)
        {
            var stored = new ReadOnlySpan<byte>(scales + ((((long)group * matrix.Rows) + firstRow) * scaleBytes), row.Length * scaleBytes);
            PlainTensors.ToFloat32(stored, scaleEncoding, row);
            var packed = new ReadOnlySpan<byte>(zeros + ((((long)group * words) + firstWord) * sizeof(uint)), count * sizeof(uint));
            for (int word = 0; word < count; word++)
            {
                uint points = BinaryPrimitives.ReadUInt32LittleEndian(packed[(word * sizeof(uint))..]);
                for (int nibble = 0; nibble < CodesPerWord; nibble++)
                {
                    int n = (word * CodesPerWord) + ColumnOfNibble[nibble];
                    matrix.ZeroPoints(firstRow + n)[group] = (byte)((points >> (4 * nibble)) & 15);
                    matrix.Scales(firstRow + n)[group] = row[n];
                }
            }
        }
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        QuantizationConfig config = checkpoint.Quantization!;
        string Name(string tensor) => SafetensorsCheckpoint.TensorName(module, tensor);
        if (config.Bits is not (null or 4))
            throw new UnsupportedException($"awq with {config.Bits} bits in {checkpoint.Path}", "the gemm layout has 4 bits");
        CheckpointTensor codes = checkpoint.RequiredMatrix(Name("qweight"), "I32", "U32");
        CheckpointTensor zeros = checkpoint.RequiredMatrix(Name("qzeros"), "I32", "U32");
        CheckpointTensor scales = checkpoint.RequiredMatrix(Name("scales"), "F16", "BF16", "F32");

        (int inputs, int words) = codes.MatrixShape();
        if (inputs == 0 || words is 0 or > int.MaxValue / CodesPerWord / sizeof(float))
            throw new InvalidModelException(codes.File, codes.Name, $"the shape is [{inputs}, {words}], expected [inputs, outputs / 8]");
        int outputs = words * CodesPerWord;
        long groups = scales.Shape[0];
        if (groups == 0 || inputs % groups != 0)
            throw new InvalidModelException(scales.File, scales.Name, $"{groups} groups do not divide the {inputs} inputs of {codes.Name}");
        int groupSize = (int)(inputs / groups);
        if (config.GroupSize is { } declared && groupSize != (declared == -1 ? inputs : declared))
        {
            throw new InvalidModelException(
                scales.File, scales.Name, $"{groups} groups of {inputs} inputs are groups of {groupSize}, quantization_config.group_size says {declared}");
        }

        ModuleTensors.Expect(scales, codes, groups, outputs);
        ModuleTensors.Expect(zeros, codes, groups, words);
        return new Parts(
            codes, zeros, scales, outputs, inputs, new WeightFormat(WeightEncoding.UInt4, groupSize, GroupOffset.ZeroPoint),
            PlainTensors.Encoding(scales.Type)!.Value);
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Zeros, CheckpointTensor Scales, int Outputs, int Inputs, WeightFormat Format, WeightEncoding ScaleEncoding);
}
