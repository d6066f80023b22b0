using System.Diagnostics;
using System.Security.Cryptography;

namespace Portable.Checkpoints.Tests;

/// <summary>What several tests do with an opened checkpoint.</summary>
internal static unsafe class CheckpointReading
{
    /// <summary>The SHA-256 of a tensor's bytes, in lower-case hexadecimal.</summary>
    public static string Hash(CheckpointTensor tensor)
    {
        using MappedFile.Lease lease = tensor.Source.Acquire();
        return Convert.ToHexStringLower(SHA256.HashData(new ReadOnlySpan<byte>(lease.Pointer + tensor.Position, checked((int)tensor.Bytes))));
    }

    /// <summary>All values of a matrix in float32, row by row.</summary>
    public static float[] Dequantize(WeightMatrix matrix)
    {
        float[] values = new float[matrix.Rows * matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++)
            matrix.DequantizeRow(row, values.AsSpan(row * matrix.Columns, matrix.Columns));
        return values;
    }

    /// <summary>Equal in all 32 bits, any NaN being equal to any NaN.</summary>
    public static void AssertExact(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        Assert.That(found.Length, Is.EqualTo(expected.Length));
        for (int i = 0; i < found.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(found[i]) != BitConverter.SingleToInt32Bits(expected[i]) && !(float.IsNaN(found[i]) && float.IsNaN(expected[i])))
                Assert.Fail($"value {i} is {found[i]:R} (0x{BitConverter.SingleToInt32Bits(found[i]):x8}), expected {expected[i]:R} (0x{BitConverter.SingleToInt32Bits(expected[i]):x8})");
        }
    }

    /// <summary>
    /// Opens what an untrusted file holds, within one second and 1 MiB plus 64 times its size of allocations.
    /// Returns the typed error that refused it, or null after it has been described and every byte of it read.
    /// </summary>
    public static PortableException? OpenWithinLimits(string path, long bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        long started = Stopwatch.GetTimestamp();
        PortableException? error = null;
        Checkpoint? checkpoint = null;
        try
        {
            checkpoint = Checkpoint.Open(path);
        }
        catch (PortableException e)
        {
            error = e;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        using (checkpoint)
        {
            Assert.That(elapsed, Is.LessThan(TimeSpan.FromSeconds(1)));
            Assert.That(allocated, Is.LessThanOrEqualTo((1 << 20) + (64 * bytes)), "bytes allocated");
            if (checkpoint is not null)
                ReadAll(checkpoint);
        }

        return error;
    }

    /// <summary>Reads whatever can be read; only typed errors may come out.</summary>
    public static void ReadAll(Checkpoint checkpoint)
    {
        checkpoint.Summarize();
        foreach (string key in checkpoint.Metadata?.Keys ?? [])
        {
            checkpoint.Metadata!.TryGet(key, out GgufValue value);
            _ = value.ToString();
        }

        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            Hash(tensor);
            Typed(() => checkpoint.TryReadVector(tensor.Name, out _));
            string module = tensor.Name[..Math.Max(0, tensor.Name.LastIndexOf('.'))];
            if (checkpoint.HasMatrix(module))
                Typed(() => Read(checkpoint.Describe(module), checkpoint.ReadMatrix(module)));
            if (tensor.Shape.Count < 3)
                continue;
            string experts = tensor.Name.EndsWith("_blocks", StringComparison.Ordinal) ? tensor.Name[..^"_blocks".Length] : module;
            Typed(() => Read(checkpoint.Describe(experts, 0), checkpoint.ReadMatrix(experts, 0)));
        }
    }

    private static void Read(MatrixInfo info, WeightMatrix matrix)
    {
        using (matrix)
        {
            Assert.That((matrix.Rows, matrix.Columns, matrix.Format), Is.EqualTo((info.Rows, info.Columns, info.Format)));
            float[] row = new float[matrix.Columns];
            for (int i = 0; i < Math.Min(matrix.Rows, 64); i++)
                matrix.DequantizeRow(i, row);
        }
    }

    private static void Typed(Action read)
    {
        try
        {
            read();
        }
        catch (PortableException)
        {
        }
    }
}
