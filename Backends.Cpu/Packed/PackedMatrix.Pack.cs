using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portable.Backends.Cpu;

internal sealed unsafe partial class PackedMatrix
{
    /// <summary>Packs a canonical matrix, panels in parallel. The caller keeps and disposes of both.</summary>
    /// <exception cref="UnsupportedException">Its format cannot be packed; see <see cref="CanPack(WeightMatrix)"/>.</exception>
    /// <exception cref="InvalidModelException">A scale, zero point or minimum is not a finite number.</exception>
    public static PackedMatrix Pack(WeightMatrix matrix, WorkerPool pool)
    {
        if (!CanPack(matrix))
            throw new UnsupportedException($"packing {matrix.Name} ({matrix.Format})", "only 4-bit and 8-bit codes and codebooks of integers, in groups of neighbouring 32 columns or a multiple of them, can be packed; use the canonical matrix");
        int shift = 0;
        sbyte[]? codebook = matrix.Format.Encoding == WeightEncoding.Codebook4 ? IntegerCodebook(matrix.Codebook, out shift) : null;
        PackedForm form = NarrowestForm(matrix, codebook, out int zeroPoint);
        var shape = new PanelShape(form, matrix.Columns, matrix.Format.GroupSize, zeroPoint);
        int exponent = ExponentFor(matrix, form);
        var packed = new PackedMatrix(matrix.Rows, matrix.Columns, shape, exponent - shift);
        var packing = new Packing(matrix, packed, exponent, codebook);
        var handle = GCHandle.Alloc(packing);
        try
        {
            pool.Run(&Packing.Panel, (void*)GCHandle.ToIntPtr(handle), packed.PanelCount);
        }
        catch
        {
            packed.Dispose();
            throw;
        }
        finally
        {
            handle.Free();
        }

        return packed;
    }

    private static PackedForm NarrowestForm(WeightMatrix matrix, sbyte[]? codebook, out int zeroPoint)
    {
        PackedForm widest = WidestForm(matrix.Format, matrix.Columns);
        zeroPoint = 0;
        if (HasOneZeroPoint(matrix, out byte shared))
        {
            if (widest == PackedForm.Affine4)
            {
                zeroPoint = shared;
                return PackedForm.Uniform4;
            }

            if (shared == Bias(matrix.Format))
                widest = PackedForm.Symmetric8;
        }

        return widest switch
        {
            PackedForm.Symmetric8 when FitSixBits(matrix, codebook) => PackedForm.Symmetric6,
            PackedForm.Affine8 when FitSixBits(matrix, codebook) => PackedForm.Affine6,
            PackedForm.Halves8 when FitSixBits(matrix, codebook) => PackedForm.Halves6,
            _ => widest,
        };
    }

    private static bool HasOneZeroPoint(WeightMatrix matrix, out byte zeroPoint)
    {
        zeroPoint = 0;
        if (matrix.Format.Offset != GroupOffset.ZeroPoint || matrix.Rows == 0 || matrix.Groups == 0)
            return false;
        zeroPoint = matrix.ZeroPoints(0)[0];
        for (int row = 0; row < matrix.Rows; row++)
        {
            if (matrix.ZeroPoints(row).ContainsAnyExcept(zeroPoint))
                return false;
        }

        return true;
    }

    // As the codes of Q5_0, Q5_K, Q3_K and Q6_K do.
    private static bool FitSixBits(WeightMatrix matrix, sbyte[]? codebook)
    {
        if (codebook is not null)
            return !codebook.AsSpan().ContainsAnyExceptInRange<sbyte>(-32, 31);
        bool isSigned = Bias(matrix.Format) == 0;
        for (int row = 0; row < matrix.Rows; row++)
        {
            ReadOnlySpan<byte> codes = matrix.Codes(row);
            bool fits = isSigned
                ? !MemoryMarshal.Cast<byte, sbyte>(codes).ContainsAnyExceptInRange<sbyte>(-32, 31)
                : !codes.ContainsAnyExceptInRange<byte>(96, 159);
            if (!fits)
                return false;
        }

        return true;
    }

    // Unsigned 8-bit codes are stored minus 128; their offsets make up for it.
    private static int Bias(WeightFormat format) => format.Encoding == WeightEncoding.UInt8 ? 128 : 0;

    private static float Offset(WeightMatrix matrix, int row, int group)
    {
        float scale = matrix.Scales(row)[group];
        int bias = Bias(matrix.Format);
        return matrix.Format.Offset switch
        {
            GroupOffset.ZeroPoint => scale * (bias - matrix.ZeroPoints(row)[group]),
            GroupOffset.Minimum => (scale * bias) + matrix.Minimums(row)[group],
            _ => scale * bias,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ExponentFor(WeightMatrix matrix, PackedForm form)
    {
        bool hasOffsets = PanelShape.IsAffine(form);
        float largest = 0;
        for (int row = 0; row < matrix.Rows; row++)
        {
            ReadOnlySpan<float> scales = matrix.Scales(row);
            for (int group = 0; group < scales.Length; group++)
            {
                float magnitude = Math.Abs(scales[group]);
                if (hasOffsets)
                    magnitude = Math.Max(magnitude, Math.Abs(Offset(matrix, row, group)));
                if (!float.IsFinite(magnitude))
                    throw new InvalidModelException(matrix.Name, $"row {row}, group {group}", "expected finite scales and offsets, found one that is infinite or not a number");
                largest = Math.Max(largest, magnitude);
            }
        }

        return largest == 0 ? 0 : Math.ILogB(largest) - 14;
    }

    private sealed class Packing(WeightMatrix matrix, PackedMatrix packed, int exponent, sbyte[]? codebook)
    {
        private readonly double _toStored = Math.ScaleB(1, -exponent);

        public static void Panel(void* handle, int worker, int panel) =>
            ((Packing)GCHandle.FromIntPtr((nint)handle).Target!).PackPanel(panel);

        private void PackPanel(int panel)
        {
            PanelShape shape = packed.Shape;
            byte* destination = packed.Panels + (panel * shape.PanelBytes);
            new Span<byte>(destination, checked((int)shape.PanelBytes)).Clear();
            byte[] looked = codebook is null ? [] : new byte[matrix.Columns];
            int outputs = Math.Min(PanelShape.Outputs, matrix.Rows - (panel * PanelShape.Outputs));
            for (int output = 0; output < outputs; output++)
            {
                int row = (panel * PanelShape.Outputs) + output;
                PackHeaders(destination, output, row);
                ReadOnlySpan<byte> codes = matrix.Codes(row);
                if (codebook is not null)
                    codes = LookUp(codes, looked);
                switch (shape.BlockBytes)
                {
                    case 512:
                        PackNibbles(destination, output, codes);
                        break;
                    case 768:
                        PackSixBits(destination, output, codes);
                        break;
                    default:
                        PackBytes(destination, output, codes);
                        break;
                }
            }
        }

        private byte[] LookUp(ReadOnlySpan<byte> codes, byte[] looked)
        {
            for (int k = 0; k < looked.Length; k++)
                looked[k] = (byte)codebook![(codes[k / 2] >> (4 * (k % 2))) & 15];
            return looked;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void PackHeaders(byte* panel, int output, int row)
        {
            PanelShape shape = packed.Shape;
            ReadOnlySpan<float> scales = matrix.Scales(row);
            int perHeader = PanelShape.IsHalves(shape.Form) ? 2 : 1;
            for (int group = 0; group < scales.Length; group++)
            {
                var header = (Half*)(panel + shape.HeaderOffset(group / perHeader)) + output;
                header[group % perHeader * PanelShape.Outputs] = (Half)(scales[group] * _toStored);
                if (PanelShape.IsAffine(shape.Form))
                    header[PanelShape.Outputs] = (Half)(Offset(matrix, row, group) * _toStored);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void PackNibbles(byte* panel, int output, ReadOnlySpan<byte> codes)
        {
            for (int block = 0; block < packed.Shape.Blocks; block++)
            {
                var dwords = (uint*)(panel + packed.Shape.BlockOffset(block)) + output;
                ReadOnlySpan<byte> source = codes[(block * 16)..];
                for (int v = 0; v < 4; v++)
                {
                    uint pair = Dword(source, v * 4);
                    if ((packed.Columns - (block * 32) - (v * 8)) is > 0 and < 8 and var valid)
                        pair &= (1u << (valid * 4)) - 1;
                    dwords[v * PanelShape.Outputs] = Spread(pair & 0xffff) | (Spread(pair >> 16) << 4);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void PackBytes(byte* panel, int output, ReadOnlySpan<byte> codes)
        {
            uint flip = Bias(matrix.Format) == 0 ? 0 : 0x80808080;
            for (int block = 0; block < packed.Shape.Blocks; block++)
            {
                var dwords = (uint*)(panel + packed.Shape.BlockOffset(block)) + output;
                ReadOnlySpan<byte> source = codes[(block * 32)..];
                for (int v = 0; v < 8; v++)
                    dwords[v * PanelShape.Outputs] = Dword(source, v * 4) ^ flip;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void PackSixBits(byte* panel, int output, ReadOnlySpan<byte> codes)
        {
            // Codes plus 32: none carries into its neighbour, once the sign bit is out of the way.
            uint flip = Bias(matrix.Format) == 0 ? 0 : 0x80808080;
            for (int block = 0; block < packed.Shape.Blocks; block++)
            {
                var dwords = (uint*)(panel + packed.Shape.BlockOffset(block)) + output;
                ReadOnlySpan<byte> source = codes[(block * 32)..];
                for (int half = 0; half < 2; half++, dwords += 3 * PanelShape.Outputs)
                {
                    uint high = 0;
                    for (int g = 0; g < 4; g++)
                    {
                        uint six = ((Dword(source, (half * 16) + (g * 4)) ^ flip ^ 0x20202020) & 0x3f3f3f3f);
                        high |= ((six >> 4) & 0x03030303) << (2 * g);
                        dwords[(1 + (g / 2)) * PanelShape.Outputs] |= (six & 0x0f0f0f0f) << (4 * (g % 2));
                    }

                    dwords[0] = high;
                }
            }
        }

        // Past the end of a row come zero codes; they are multiplied by activations of zero.
        private static uint Dword(ReadOnlySpan<byte> source, int offset)
        {
            if (source.Length >= offset + 4)
                return BinaryPrimitives.ReadUInt32LittleEndian(source[offset..]);
            uint dword = 0;
            for (int i = offset; i < source.Length; i++)
                dword |= (uint)source[i] << (8 * (i - offset));
            return dword;
        }

        // Four nibbles of the lower 16 bits into the low nibbles of four bytes.
        private static uint Spread(uint nibbles)
        {
            nibbles = (nibbles | nibbles << 8) & 0x00ff00ff;
            return (nibbles | nibbles << 4) & 0x0f0f0f0f;
        }
    }
}
