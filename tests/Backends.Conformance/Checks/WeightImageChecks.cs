using System.Runtime.InteropServices;

namespace Portable.Conformance;

/// <summary>Weights written in the device's own layout and mapped again.</summary>
internal static unsafe class WeightImageChecks
{
    public static IEnumerable<Check> All()
    {
        foreach (WeightFormat format in LinearChecks.Formats())
        {
            yield return new($"Weight image, {LinearChecks.Name(format)}: products have the bits of the weight that was written", bench =>
            {
                foreach (bool hasGroupIndex in format.IsPlain ? new[] { false } : [false, true])
                {
                    RoundTrip(bench, WeightStacking.Outputs, LinearChecks.Make(bench, 33, 192, format, hasGroupIndex));
                    RoundTrip(bench, WeightStacking.Experts, LinearChecks.Make(bench, 33, 192, format, hasGroupIndex), LinearChecks.Make(bench, 33, 192, format, hasGroupIndex));
                }
            });
        }

        yield return new("Weight image, stacked parts of different formats", bench => RoundTrip(
            bench, WeightStacking.Outputs, LinearChecks.Make(bench, 40, 128, new(WeightEncoding.UInt4, 32)),
            LinearChecks.Make(bench, 8, 128, new(WeightEncoding.Float16)), LinearChecks.Make(bench, 33, 128, new(WeightEncoding.Int8, 32)),
            LinearChecks.Make(bench, 7, 128, new(WeightEncoding.UInt4, 64, GroupOffset.Minimum))));
        yield return new("Weight image: every shorter image is refused, and takes nothing", Truncated);
        yield return new("Weight image: an image whose sizes were changed is refused or stays within its bytes", Changed);
        yield return new("Weight image: a device without a layout refuses to write", bench =>
        {
            Bench.Offered(bench.Device.WeightLayout is null, "a device without a layout");
            DeviceWeight weight = bench.Load(LinearChecks.Make(bench, 4, 32, new(WeightEncoding.Float16)));
            Bench.Throws<UnsupportedException>(() => bench.Device.WriteWeight(weight, Stream.Null), "writing");
        });
    }

    private static void RoundTrip(Bench bench, WeightStacking stacking, params TestWeight[] parts)
    {
        Bench.Offered(bench.Device.WeightLayout is not null, "weights in files");
        if (!Array.TrueForAll(parts, bench.IsOffered))
            return;
        DeviceWeight weight = bench.Load(stacking, parts);
        byte[] image = Write(bench, weight);
        Bench.Holds(image.AsSpan().SequenceEqual(Write(bench, weight)), "the same weight gives the same bytes");
        using var memory = new Mapped(image);
        DeviceWeight mapped = bench.Own(bench.Device.MapWeight(memory.Image(image.Length)));
        Bench.Holds(mapped.Rows == weight.Rows && mapped.Columns == weight.Columns && mapped.Experts == weight.Experts, "shape");
        Bench.Holds(image.AsSpan().SequenceEqual(Write(bench, mapped)), "a mapped weight is written as it was read");
        if (stacking == WeightStacking.Outputs)
        {
            Matrix x = bench.Input(5, weight.Columns), a = bench.Output(5, weight.Rows), b = bench.Output(5, weight.Rows);
            bench.Stream.Linear(x.View, weight, a.View);
            bench.Stream.Linear(x.View, mapped, b.View);
            Bench.Holds(bench.Bytes(a.Whole).AsSpan().SequenceEqual(bench.Bytes(b.Whole)), $"{parts[0].Describe()}: the product's bits");
        }

        bench.Stream.Synchronize();
        mapped.Dispose();
    }

    private static void Truncated(Bench bench)
    {
        Bench.Offered(bench.Device.WeightLayout is not null, "weights in files");
        byte[] image = Write(bench, bench.Load(LinearChecks.Make(bench, 33, 64, new(WeightEncoding.UInt4, 32))));
        long before = bench.Device.ReservedBytes;
        using var memory = new Mapped(image);
        for (int bytes = 0; bytes < image.Length; bytes += bytes < 256 ? 1 : 61)
            Bench.Throws<InvalidModelException>(() => bench.Device.MapWeight(memory.Image(bytes)), $"{bytes} of {image.Length} bytes");
        Bench.Holds(bench.Device.ReservedBytes == before, "nothing taken");
    }

    private static void Changed(Bench bench)
    {
        Bench.Offered(bench.Device.WeightLayout is not null, "weights in files");
        byte[] image = Write(bench, bench.Load(LinearChecks.Make(bench, 33, 64, new(WeightEncoding.UInt4, 32))));
        int refused = 0;
        for (int at = 0; at < 128; at++)
        {
            foreach (byte flip in new byte[] { 1, 0x40, 0x80, 0xFF })
            {
                byte[] changed = [.. image];
                changed[at] ^= flip;
                using var memory = new Mapped(changed);
                try
                {
                    bench.Device.MapWeight(memory.Image(changed.Length)).Dispose();
                }
                catch (InvalidModelException)
                {
                    refused++;
                }
            }
        }

        Bench.Holds(refused >= 64, $"only {refused} changes of the head were refused");
    }

    private static byte[] Write(Bench bench, DeviceWeight weight)
    {
        using var stream = new MemoryStream();
        bench.Device.WriteWeight(weight, stream);
        return stream.ToArray();
    }

    /// <summary>An image at an aligned place, as a mapped file holds it.</summary>
    private sealed class Mapped : IDisposable
    {
        private readonly byte* _data;

        public Mapped(byte[] image)
        {
            _data = (byte*)NativeMemory.AlignedAlloc((nuint)image.Length, WeightImage.Alignment);
            image.CopyTo(new Span<byte>(_data, image.Length));
        }

        public WeightImage Image(long bytes) => new("test.engine", "w", _data, bytes);

        public void Dispose() => NativeMemory.AlignedFree(_data);
    }
}
