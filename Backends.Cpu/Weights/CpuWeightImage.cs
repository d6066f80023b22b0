using System.Runtime.InteropServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// A weight in a file, little-endian, as it lies in memory: a header of 64 bytes, an entry of 64 bytes for each matrix,
/// then their blocks in the same order, each filled up to a multiple of 64 bytes.
/// </summary>
internal static unsafe class CpuWeightImage
{
    /// <summary>The layout of the fast mode; its number grows with every change of panels, blocks or entries.</summary>
    public const string FastLayout = "cpu panels of 32, 2";

    /// <summary>The layout of the reference mode.</summary>
    public const string ReferenceLayout = "cpu canonical, 1";

    private const int RecordBytes = 64;
    private const uint Magic = 0x4757_5043; // "CPWG"

    /// <summary>Writes a weight.</summary>
    public static void Write(CpuWeight weight, Stream destination)
    {
        var entries = new List<Entry>();
        var blocks = new List<NativeBlock>();
        foreach (CpuMatrix part in weight.Parts)
        {
            switch (part)
            {
                case CanonicalMatrix canonical:
                    entries.Add(Entry.Of(canonical));
                    blocks.Add(canonical.Block);
                    break;
                case PackedWeights packed:
                    foreach (PackedMatrix matrix in packed.Parts)
                    {
                        entries.Add(Entry.Of(matrix, startsProduct: matrix == packed.Parts[0]));
                        blocks.Add(matrix.Memory);
                    }

                    break;
                default:
                    throw new InvalidOperationException($"{part.GetType().Name} has no form in files");
            }
        }

        var header = new Header { Magic = Magic, Entries = entries.Count, IsExperts = weight.IsExperts ? 1 : 0 };
        Record(destination, header);
        foreach (Entry entry in entries)
            Record(destination, entry);
        foreach (NativeBlock block in blocks)
        {
            for (long at = 0; at < block.Bytes;)
            {
                int count = (int)Math.Min(block.Bytes - at, 1 << 26);
                destination.Write(new ReadOnlySpan<byte>(block.Data + at, count));
                at += count;
            }

            destination.Write(new byte[NativeBlock.Align(block.Bytes) - block.Bytes]);
            GC.KeepAlive(block);
        }
    }

    /// <summary>Matrices over an image, in place. Every size is checked against the image's.</summary>
    public static CpuMatrix[] Map(WeightImage image, NumericMode numerics, out WeightStacking stacking)
    {
        if (image.Bytes < RecordBytes)
            throw Broken($"{image.Bytes} bytes, fewer than its header has");
        Header header = *(Header*)image.Data;
        if (header.Magic != Magic || header.IsExperts is not (0 or 1))
            throw Broken("it does not begin as a weight of this device");
        if (header.Entries < 1 || header.Entries > (image.Bytes / RecordBytes) - 1)
            throw Broken($"{header.Entries} matrices in {image.Bytes} bytes");
        stacking = header.IsExperts == 1 ? WeightStacking.Experts : WeightStacking.Outputs;

        var matrices = new List<CpuMatrix>();
        var product = new List<PackedMatrix>();
        var entries = (Entry*)(image.Data + RecordBytes);
        long next = RecordBytes * (header.Entries + 1L), rows = 0;
        for (int i = 0; i < header.Entries; i++)
        {
            Entry entry = entries[i];
            if (entry.Problem(numerics) is { } problem)
                throw Broken($"matrix {i}: {problem}");
            if (entry.Columns != entries[0].Columns || (header.IsExperts == 1 && entry.Rows != entries[0].Rows))
                throw Broken($"matrix {i} [{entry.Rows}, {entry.Columns}] does not stack on [{entries[0].Rows}, {entries[0].Columns}]");
            rows += entry.Rows;
            long bytes = entry.BlockBytes;
            if (rows > int.MaxValue || bytes < 0 || bytes > image.Bytes - next)
                throw Broken($"matrix {i} [{entry.Rows}, {entry.Columns}] runs past its end");
            var block = NativeBlock.Borrow(image.Data + next, bytes);
            next += NativeBlock.Align(bytes);
            if (product.Count > 0 && (entry.IsPacked == 0 || entry.StartsProduct == 1))
                Finish();
            if (entry.IsPacked == 1)
            {
                product.Add(new PackedMatrix(entry.Rows, entry.Columns, entry.Shape, entry.ScaleExponent, block));
                continue;
            }

            var canonical = new CanonicalMatrix(entry.Rows, entry.Columns, entry.Format, entry.HasGroupIndex == 1, block);
            CanonicalMatrix.CheckGroupIndex(image.File, image.Name, canonical.GroupIndex, entry.Format.Groups(entry.Columns));
            matrices.Add(canonical);
        }

        if (product.Count > 0)
            Finish();
        if (next != image.Bytes)
            throw Broken($"{image.Bytes} bytes, its matrices take {next}");
        if (header.IsExperts == 1 && matrices.Count != header.Entries)
            throw Broken("experts are joined to one product");
        return [.. matrices];

        void Finish()
        {
            matrices.Add(new PackedWeights([.. product]));
            product.Clear();
        }

        InvalidModelException Broken(string problem) => new(image.File, image.Name, $"the stored weight is broken: {problem}");
    }

    private static void Record<T>(Stream destination, T record) where T : unmanaged
    {
        Span<byte> bytes = stackalloc byte[RecordBytes];
        bytes.Clear();
        MemoryMarshal.Write(bytes, in record);
        destination.Write(bytes);
    }

    private struct Header
    {
        public uint Magic;
        public int Entries;
        public int IsExperts;
    }

    [StructLayout(LayoutKind.Sequential, Size = RecordBytes)]
    private struct Entry
    {
        public int IsPacked;
        public int StartsProduct;
        public int Rows;
        public int Columns;
        public int GroupSize;
        public int Kind; // PackedForm, or WeightEncoding
        public int Offset;
        public int HasGroupIndex;
        public int Zero;
        public int ScaleExponent;

        public readonly PanelShape Shape => new((PackedForm)Kind, Columns, GroupSize, Zero);

        public readonly WeightFormat Format => new((WeightEncoding)Kind, GroupSize, (GroupOffset)Offset);

        /// <summary>Bytes of its block; negative beyond 2^63.</summary>
        public readonly long BlockBytes
        {
            get
            {
                try
                {
                    return IsPacked == 1 ? PackedMatrix.PanelBytes(Rows, Shape) : CanonicalMatrix.BlockBytes(Rows, Columns, Format, HasGroupIndex == 1);
                }
                catch (OverflowException)
                {
                    return -1;
                }
            }
        }

        public static Entry Of(CanonicalMatrix matrix) => new()
        {
            Rows = matrix.Rows,
            Columns = matrix.Columns,
            GroupSize = matrix.Format.GroupSize,
            Kind = (int)matrix.Format.Encoding,
            Offset = (int)matrix.Format.Offset,
            HasGroupIndex = matrix.GroupIndex.IsEmpty ? 0 : 1,
        };

        public static Entry Of(PackedMatrix matrix, bool startsProduct) => new()
        {
            IsPacked = 1,
            StartsProduct = startsProduct ? 1 : 0,
            Rows = matrix.Rows,
            Columns = matrix.Columns,
            GroupSize = matrix.Shape.BlocksPerGroup * PanelShape.BlockInputs,
            Kind = (int)matrix.Shape.Form,
            Zero = (int)matrix.Shape.Zero,
            ScaleExponent = matrix.ScaleExponent,
        };

        public readonly string? Problem(NumericMode numerics)
        {
            if (((IsPacked | StartsProduct | HasGroupIndex) & ~1) != 0 || Rows < 0 || Columns < 0 || Columns > int.MaxValue / sizeof(float))
                return "its entry holds impossible numbers";
            if (IsPacked == 1)
            {
                return numerics != NumericMode.Fast ? "it is packed, and the device computes in reference mode"
                    : !Enum.IsDefined((PackedForm)Kind) || GroupSize < PanelShape.BlockInputs || GroupSize % PanelShape.BlockInputs != 0 || (uint)Zero > 15
                        || Math.Abs((long)ScaleExponent) > 512 || (PanelShape.IsHalves((PackedForm)Kind) && GroupSize != PanelShape.BlockInputs) ? "its form is unknown" : null;
            }

            return !Enum.IsDefined((WeightEncoding)Kind) || !Enum.IsDefined((GroupOffset)Offset) || GroupSize < 0 || Format.IsPlain != (GroupSize == 0)
                || (Format.IsPlain && (Offset != 0 || HasGroupIndex == 1)) ? "its format is unknown" : null;
        }
    }
}
