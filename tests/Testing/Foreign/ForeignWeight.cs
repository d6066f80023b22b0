using System.Runtime.InteropServices;

namespace Portable.Testing.Foreign;

/// <summary>Weights on the foreign device: parts along the outputs, or experts.</summary>
internal sealed class ForeignWeight : DeviceWeight
{
    private readonly List<ForeignWeightPart> _parts = [];

    internal ForeignWeight(ForeignDevice device, IReadOnlyList<WeightMatrix> parts, WeightStacking stacking, long bytes, Action release)
        : base(
            stacking == WeightStacking.Experts ? parts[0].Rows : parts.Sum(p => p.Rows), parts[0].Columns,
            stacking == WeightStacking.Experts ? parts.Count : 1, bytes, release)
    {
        Device = device;
        try
        {
            foreach (WeightMatrix part in parts)
                _parts.Add(new ForeignWeightPart(device, part));
        }
        catch
        {
            _parts.ForEach(p => p.Free());
            release();
            throw;
        }

        device.Born(this, $"the weight {parts[0].Name} of {bytes} bytes");
    }

    internal ForeignDevice Device { get; }

    /// <summary>The parts opened for an operator that runs.</summary>
    internal ForeignWeightRows Open(string operation) => new(this, [.. _parts.Select(p => p.Open(operation))]);

    protected override void Free()
    {
        _parts.ForEach(p => p.Free());
        Device.Died(this);
    }
}

/// <summary>One matrix in device memory: float16 values, or 4-bit codes, float32 scales, then zero points or minimums.</summary>
internal sealed class ForeignWeightPart
{
    private readonly ForeignDevice _device;
    private readonly string _name;
    private readonly int _handle;

    internal ForeignWeightPart(ForeignDevice device, WeightMatrix matrix)
    {
        _device = device;
        _name = matrix.Name;
        Rows = matrix.Rows;
        Columns = matrix.Columns;
        Format = matrix.Format.IsPlain ? new WeightFormat(WeightEncoding.Float16) : matrix.Format;
        _handle = device.Memory.Allocate(PayloadBytes(Rows, Columns, matrix.Format), $"the weight {_name}");
        Span<byte> memory = device.Memory.Open(_handle, nameof(Portable.Device.LoadWeight), _name).Span;
        float[] values = new float[matrix.Format.IsPlain ? Columns : 0];
        for (int row = 0; row < Rows; row++)
        {
            if (Format.IsPlain)
            {
                matrix.DequantizeRow(row, values);
                Span<Half> halves = MemoryMarshal.Cast<byte, Half>(memory).Slice(row * Columns, Columns);
                for (int k = 0; k < Columns; k++)
                    halves[k] = (Half)values[k];
                continue;
            }

            matrix.Codes(row).CopyTo(memory[(row * CodeBytes)..]);
            MemoryMarshal.AsBytes(matrix.Scales(row)).CopyTo(memory[ScaleStart(row)..]);
            matrix.ZeroPoints(row).CopyTo(memory[OffsetStart(row)..]);
            MemoryMarshal.AsBytes(matrix.Minimums(row)).CopyTo(memory[OffsetStart(row)..]);
        }
    }

    internal int Rows { get; }

    internal int Columns { get; }

    internal WeightFormat Format { get; }

    private int CodeBytes => (int)Format.RowBytes(Columns);

    private int Groups => Format.Groups(Columns);

    private int OffsetBytes => Format.Offset switch { GroupOffset.ZeroPoint => 1, GroupOffset.Minimum => sizeof(float), _ => 0 };

    internal static long PayloadBytes(int rows, int columns, WeightFormat format)
    {
        if (format.IsPlain)
            return checked((long)rows * columns * sizeof(ushort));
        int perGroup = sizeof(float) + (format.Offset switch { GroupOffset.ZeroPoint => 1, GroupOffset.Minimum => sizeof(float), _ => 0 });
        return checked(AlignFloat(rows * format.RowBytes(columns)) + ((long)rows * format.Groups(columns) * perGroup));
    }

    internal void Free() => _device.Memory.Free(_handle);

    internal (ForeignWeightPart Part, Memory<byte> Memory) Open(string operation) => (this, _device.Memory.Open(_handle, operation, $"the weight {_name}"));

    internal void Read(ReadOnlySpan<byte> memory, int row, Span<float> values)
    {
        if (Format.IsPlain)
        {
            ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(memory).Slice(row * Columns, Columns);
            for (int k = 0; k < Columns; k++)
                values[k] = (float)halves[k];
            return;
        }

        ReadOnlySpan<byte> codes = memory.Slice(row * CodeBytes, CodeBytes);
        ReadOnlySpan<float> scales = MemoryMarshal.Cast<byte, float>(memory.Slice(ScaleStart(row), Groups * sizeof(float)));
        ReadOnlySpan<byte> offsets = memory.Slice(OffsetStart(row), Groups * OffsetBytes);
        for (int group = 0; group < Groups; group++)
        {
            int end = Math.Min(Columns, (group + 1) * Format.GroupSize);
            float scale = scales[group];
            float zero = Format.Offset == GroupOffset.ZeroPoint ? offsets[group] : 0;
            float minimum = Format.Offset == GroupOffset.Minimum ? MemoryMarshal.Cast<byte, float>(offsets)[group] : 0;
            for (int k = group * Format.GroupSize; k < end; k++)
                values[k] = (scale * (((codes[k >> 1] >> ((k & 1) * 4)) & 15) - zero)) + minimum;
        }
    }

    private static long AlignFloat(long bytes) => (bytes + 3) & ~3L;

    private int ScaleStart(int row) => (int)(AlignFloat((long)Rows * CodeBytes) + ((long)row * Groups * sizeof(float)));

    private int OffsetStart(int row) =>
        (int)(AlignFloat((long)Rows * CodeBytes) + ((long)Rows * Groups * sizeof(float)) + ((long)row * Groups * OffsetBytes));
}

/// <summary>A weight opened for reading rows in float32.</summary>
internal sealed class ForeignWeightRows(ForeignWeight weight, (ForeignWeightPart Part, Memory<byte> Memory)[] parts)
{
    /// <summary>Reads one output's inputs.</summary>
    internal void Read(int expert, int row, Span<float> values)
    {
        int part = weight.Experts > 1 ? expert : 0;
        if (weight.Experts == 1)
        {
            while (row >= parts[part].Part.Rows)
                row -= parts[part++].Part.Rows;
        }

        parts[part].Part.Read(parts[part].Memory.Span, row, values);
    }
}
