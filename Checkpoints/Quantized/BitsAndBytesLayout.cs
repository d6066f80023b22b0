using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>
/// bitsandbytes NF4 and FP4: <c>weight</c>, bytes whose high nibble comes first, over the flattened matrix;
/// <c>weight.quant_state.bitsandbytes__nf4</c> (or <c>__fp4</c>), a JSON text with shape and blocksize;
/// <c>weight.quant_map</c> float32 [16]; <c>weight.absmax</c> float32, a scale for each block of the flattened matrix.
/// Double quantised: absmax uint8, <c>weight.nested_quant_map</c> float32 [256], <c>weight.nested_absmax</c> float32, and
/// absmax = (map[code] * nested_absmax[block / nested_blocksize]) + nested_offset, each operation rounded to float32.
/// w = quant_map[code] * absmax.
/// </summary>
internal sealed unsafe class BitsAndBytesLayout : IQuantizedLayout
{
    private const int MaximumStateBytes = 1 << 16;

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, false, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        float[] scales = parts.Nested is { } nested ? nested.Scales(parts.Scales) : PlainTensors.Values(parts.Scales);
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format, PlainTensors.Values(parts.Codebook));
        using MappedFile.Lease lease = parts.Codes.Source.Acquire();
        byte* data = lease.Pointer + parts.Codes.Position;
        for (int row = 0; row < matrix.Rows; row++)
        {
            long first = (long)row * parts.Inputs;
            Span<byte> codes = matrix.Codes(row);
            codes.Clear();
            for (int k = 0; k < parts.Inputs; k++)
            {
                long at = first + k;
                int code = at % 2 == 0 ? data[at / 2] >> 4 : data[at / 2] & 15;
                codes[k / 2] |= (byte)(code << (4 * (k % 2)));
            }

            Span<float> rowScales = matrix.Scales(row);
            for (int group = 0; group < rowScales.Length; group++)
                rowScales[group] = scales[(first + ((long)group * parts.Format.GroupSize)) / parts.BlockSize];
        }

        return matrix;
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor? state = tensors.Optional("weight.quant_state.bitsandbytes__nf4", "U8");
        state ??= tensors.Required("weight.quant_state.bitsandbytes__fp4", "U8");
        // Stored as bytes, or as the same bytes in whatever type sharding needed.
        if (!checkpoint.TryGetTensor(SafetensorsCheckpoint.TensorName(module, "weight"), out CheckpointTensor? codes))
            throw new InvalidModelException(checkpoint.Path, SafetensorsCheckpoint.TensorName(module, "weight"), $"the tensor is missing beside {state.Name}");
        CheckpointTensor codebook = tensors.Required("weight.quant_map", "F32");
        if (codebook.Elements != 16)
            throw ModuleTensors.Wrong(codebook, "[16]");

        JsonElement json = ReadState(state);
        (int outputs, int inputs) = Shape(state, json);
        int blockSize = Number(state, json, "blocksize");
        long values = (long)outputs * inputs, blocks = (values + blockSize - 1) / blockSize;
        if (codes.Bytes != (values + 1) / 2)
            throw ModuleTensors.Wrong(codes, $"{(values + 1) / 2} bytes for the shape [{outputs}, {inputs}] of {state.Name}");
        CheckpointTensor scales = tensors.Required("weight.absmax", "F32", "U8");
        if (scales.Elements != blocks)
            throw ModuleTensors.Wrong(scales, $"[{blocks}], blocks of {blockSize} of [{outputs}, {inputs}]");
        NestedScales? nested = scales.Type == "U8" ? Nested(tensors, state, json, blocks) : null;
        // Blocks run on from row to row; where they do not begin with the rows, smaller groups share their scales.
        int groupSize = blockSize % inputs == 0 ? inputs : CommonDivisor(blockSize, inputs);
        return new Parts(codes, scales, codebook, nested, outputs, inputs, blockSize, new WeightFormat(WeightEncoding.Codebook4, groupSize));
    }

    private static NestedScales Nested(ModuleTensors tensors, CheckpointTensor state, JsonElement json, long blocks)
    {
        CheckpointTensor map = tensors.Required("weight.nested_quant_map", "F32"), absmax = tensors.Required("weight.nested_absmax", "F32");
        int blockSize = Number(state, json, "nested_blocksize");
        if (map.Elements != 256)
            throw ModuleTensors.Wrong(map, "[256]");
        if (absmax.Elements != (blocks + blockSize - 1) / blockSize)
            throw ModuleTensors.Wrong(absmax, $"[{(blocks + blockSize - 1) / blockSize}], blocks of {blockSize} of {blocks} scales");
        if (!json.TryGetProperty("nested_offset", out JsonElement offset) || offset.ValueKind != JsonValueKind.Number || !offset.TryGetDouble(out double value))
            throw Wrong(state, "nested_offset", "a number");
        return new NestedScales(map, absmax, blockSize, (float)value);
    }

    private static JsonElement ReadState(CheckpointTensor state)
    {
        if (state.Bytes > MaximumStateBytes)
            throw ModuleTensors.Wrong(state, $"a JSON text of at most {MaximumStateBytes} bytes");
        byte[] bytes = new byte[state.Bytes];
        ModuleTensors.Bytes(state, (data, _) => new ReadOnlySpan<byte>(data, bytes.Length).CopyTo(bytes));
        return ModelFolder.ParseObject($"{state.File}: {state.Name}", bytes);
    }

    private static (int Outputs, int Inputs) Shape(CheckpointTensor state, JsonElement json)
    {
        if (json.TryGetProperty("shape", out JsonElement shape) && shape.ValueKind == JsonValueKind.Array && shape.GetArrayLength() == 2
            && shape[0].ValueKind == JsonValueKind.Number && shape[0].TryGetInt32(out int outputs) && outputs > 0
            && shape[1].ValueKind == JsonValueKind.Number && shape[1].TryGetInt32(out int inputs) && inputs is > 0 and <= int.MaxValue / sizeof(float))
        {
            return (outputs, inputs);
        }

        throw Wrong(state, "shape", "two positive integers, outputs and inputs");
    }

    private static int Number(CheckpointTensor state, JsonElement json, string field) =>
        json.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number > 0
            ? number : throw Wrong(state, field, "a positive integer");

    private static int CommonDivisor(int a, int b) => b == 0 ? a : CommonDivisor(b, a % b);

    private static InvalidModelException Wrong(CheckpointTensor state, string field, string expected) =>
        new(state.File, $"{state.Name}, {field}", $"expected {expected}");

    private sealed record NestedScales(CheckpointTensor Map, CheckpointTensor Absmax, int BlockSize, float Offset)
    {
        public float[] Scales(CheckpointTensor codes)
        {
            float[] map = PlainTensors.Values(Map), absmax = PlainTensors.Values(Absmax), scales = new float[codes.Elements];
            ModuleTensors.Bytes(codes, (data, _) =>
            {
                for (int block = 0; block < scales.Length; block++)
                {
                    float product = map[data[block]] * absmax[block / BlockSize];
                    scales[block] = product + Offset;
                }
            });
            return scales;
        }
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Scales, CheckpointTensor Codebook, NestedScales? Nested, int Outputs, int Inputs, int BlockSize, WeightFormat Format);
}
