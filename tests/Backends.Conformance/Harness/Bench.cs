using System.Globalization;
using System.Runtime.InteropServices;

namespace Portable.Conformance;

/// <summary>An opened device with a stream, seeded numbers, and what the checks need to put data in and get it out.</summary>
public sealed class Bench
{
    private const byte Outside = 0xFF;

    private readonly Stack<IDisposable> _owned = new();
    private bool _isClosed;

    internal Bench(Leaf leaf, string checkName)
    {
        Leaf = leaf;
        Random = new Random(checkName.Aggregate(17, (seed, c) => unchecked((seed * 31) + c)));
        Backend = leaf.CreateBackend();
        Info = Backend.Probe().Devices[0];
        Device = Backend.Open(Info, leaf.Options);
        Stream = Own(Device.CreateStream());
    }

    /// <summary>What is tested.</summary>
    public Leaf Leaf { get; }

    /// <summary>Numbers that depend on the check's name alone.</summary>
    public Random Random { get; }

    /// <summary>The backend.</summary>
    public IBackend Backend { get; }

    /// <summary>The device's description.</summary>
    public DeviceInfo Info { get; }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>A stream of it.</summary>
    public CommandStream Stream { get; }

    /// <summary>The type of activations.</summary>
    public ElementType Activation => Device.Capabilities.ActivationType;

    /// <summary>Whether results come from float32 activations and canonical weights.</summary>
    public bool IsExact => Device.Numerics == NumericMode.Reference && Activation == ElementType.Float32;

    /// <summary>Ends the check as "not offered" unless the condition holds.</summary>
    public static void Offered(bool condition, string what)
    {
        if (!condition)
            throw new NotOfferedException(what);
    }

    /// <summary>Fails the check unless the condition holds.</summary>
    public static void Holds(bool condition, string problem)
    {
        if (!condition)
            throw new ConformanceException(problem);
    }

    /// <summary>The error that an action must raise.</summary>
    public static TError Throws<TError>(Action action, string what) where TError : Exception
    {
        try
        {
            action();
        }
        catch (TError error)
        {
            return error;
        }
        catch (Exception error)
        {
            throw new ConformanceException($"{what}: expected {typeof(TError).Name}, found {error.GetType().Name}: {error.Message}");
        }

        throw new ConformanceException($"{what}: expected {typeof(TError).Name}, nothing was thrown");
    }

    /// <summary>Disposes of a thing at the end of the check.</summary>
    public T Own<T>(T thing) where T : IDisposable
    {
        _owned.Push(thing);
        return thing;
    }

    /// <summary>A number from the normal distribution.</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Random.NextDouble())) * Math.Cos(2 * Math.PI * Random.NextDouble());

    /// <summary>A matrix of normal numbers, or of those drawn, in the activation type or another.</summary>
    public Matrix Input(int rows, int columns, Layout layout = Layout.Dense, Func<double>? draw = null, ElementType? type = null)
    {
        ElementType element = type ?? Activation;
        double[] values = new double[rows * columns];
        for (int i = 0; i < values.Length; i++)
            values[i] = Numbers.Round(draw is null ? Normal() : draw(), element);
        return Place(rows, columns, layout, element, values);
    }

    /// <summary>A matrix to be written, in the activation type or another.</summary>
    public Matrix Output(int rows, int columns, Layout layout = Layout.Dense, ElementType? type = null)
    {
        double[] values = new double[rows * columns];
        Array.Fill(values, double.NaN);
        return Place(rows, columns, layout, type ?? Activation, values);
    }

    /// <summary>A float32 row: a bias or the weight of a norm.</summary>
    public Matrix Vector(int columns, Func<double>? draw = null) => Input(1, columns, Layout.Dense, draw, ElementType.Float32);

    /// <summary>int32 values in rows.</summary>
    public TensorView Ints(int rows, params int[] values)
    {
        TensorView view = Own(Device.Allocate(Math.Max(values.Length, 1) * 4L, MemoryKind.Workspace)).View(ElementType.Int32, rows, values.Length / rows);
        Stream.Upload<int>(view, values);
        return view;
    }

    /// <summary>A loaded weight, disposed of with the bench.</summary>
    public DeviceWeight Load(WeightStacking stacking, params TestWeight[] parts)
    {
        foreach (TestWeight part in parts)
            Offered(IsOffered(part), $"weights {part.Describe()}");
        Offered(stacking == WeightStacking.Outputs || parts.Length == 1 || Device.Capabilities.ExpertWeights, "expert weights");
        return Own(Device.LoadWeight([.. parts.Select(p => p.Matrix)], stacking));
    }

    /// <summary>A loaded matrix.</summary>
    public DeviceWeight Load(TestWeight part) => Load(WeightStacking.Outputs, part);

    /// <summary>Whether the capabilities offer a weight.</summary>
    public bool IsOffered(TestWeight weight) => Device.Capabilities.Check(new ModelRequirements
    {
        Operators = new HashSet<Operator>(),
        HeadSizes = new HashSet<int>(),
        Weights = [new(Operator.Linear, "w", weight.Matrix.Format, weight.Matrix.Rows, weight.Matrix.Columns, weight.Matrix.GroupIndex.Length > 0)],
    }).Count == 0;

    /// <summary>The values of a matrix after all work has run; fails when elements outside it were written.</summary>
    public double[] Read(Matrix matrix)
    {
        byte[] bytes = Bytes(matrix.Whole);
        TensorView view = matrix.View;
        int size = view.Type.Size();
        double[] values = new double[view.Rows * view.Columns];
        for (int r = 0; r < view.Rows; r++)
        {
            Span<byte> row = bytes.AsSpan(matrix.ByteOffset(r), view.Columns * size);
            for (int c = 0; c < view.Columns; c++)
                values[(r * view.Columns) + c] = Numbers.Get(row[(c * size)..], view.Type);
            row.Fill(Outside);
        }

        int stray = bytes.AsSpan().IndexOfAnyExcept(Outside);
        Holds(stray < 0, $"byte {stray} was written outside the output [{view.Rows}, {view.Columns}] with stride {view.RowStride}");
        return values;
    }

    /// <summary>The bytes of a contiguous view after all work has run.</summary>
    public byte[] Bytes(TensorView view)
    {
        if (view.Length == 0)
            return [];
        using HostBuffer host = Device.AllocateHost(view.Length * view.Type.Size());
        Stream.Download(view, host);
        Stream.Synchronize();
        return host.Span[..(int)(view.Length * view.Type.Size())].ToArray();
    }

    /// <summary>int32 values after all work has run.</summary>
    public int[] ReadInts(TensorView view) => MemoryMarshal.Cast<byte, int>(Bytes(view)).ToArray();

    /// <summary>Fails unless every element is within its tolerance.</summary>
    public void Compare(Matrix output, Expected expected, string what)
    {
        double[] found = Read(output);
        int wrong = 0;
        (double Ratio, string Text) worst = (0, "");
        for (int i = 0; i < found.Length; i++)
        {
            double error = Math.Abs(found[i] - expected.Value[i]), allowed = expected.Tolerance(i, output.View.Type);
            if (error <= allowed)
                continue;
            wrong++;
            double ratio = double.IsNaN(error) ? double.PositiveInfinity : error / allowed;
            if (ratio > worst.Ratio || wrong == 1)
            {
                worst = (ratio, string.Create(CultureInfo.InvariantCulture,
                    $"at [{i / expected.Columns}, {i % expected.Columns}] expected {expected.Value[i]:g9} +- {allowed:g3}, found {found[i]:g9}"));
            }
        }

        Holds(wrong == 0, $"{what}: {wrong} of {found.Length} elements are wrong, the worst {worst.Text}");
    }

    /// <summary>Gives everything back and makes sure that nothing is left reserved.</summary>
    internal void Close()
    {
        Release();
        long reserved = Device.ReservedBytes;
        Device.Dispose();
        Device.Dispose();
        Holds(reserved == 0, $"{reserved} bytes are still reserved after everything was disposed of");
    }

    /// <summary>Gives back what it can after a failure, without hiding it.</summary>
    internal void Abandon()
    {
        try
        {
            Release();
            Device.Dispose();
        }
        catch (Exception error) when (error is InvalidOperationException or PortableException)
        {
            // The failure that led here says more.
        }
    }

    private void Release()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        while (_owned.TryPop(out IDisposable? thing))
            thing.Dispose();
    }

    private Matrix Place(int rows, int columns, Layout layout, ElementType type, double[] values)
    {
        (int left, int right, int around) = layout == Layout.Strided ? (3, 6, 1) : (0, 0, 0);
        int stride = left + columns + right, size = type.Size();
        DeviceBuffer buffer = Own(Device.Allocate(Math.Max(1, Math.Max(1, rows + (2L * around)) * stride * size), MemoryKind.Workspace));
        TensorView whole = buffer.View(type, rows + (2 * around), stride);
        var view = new TensorView(buffer, ((around * (long)stride) + left) * size, type, rows, columns, stride);
        var matrix = new Matrix(view, whole, values);
        byte[] bytes = new byte[whole.Length * size];
        bytes.AsSpan().Fill(Outside);
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
                Numbers.Set(bytes.AsSpan(matrix.ByteOffset(r) + (c * size)), type, values[(r * columns) + c]);
        }

        Stream.Upload<byte>(whole, bytes);
        return matrix;
    }
}
