namespace Portable.Conformance;

/// <summary>One thing that every device must do, as data: run by NUnit and by the runner alike.</summary>
/// <param name="Name">What is claimed.</param>
/// <param name="Run">Throws <see cref="ConformanceException"/> when it does not hold, <see cref="NotOfferedException"/> when the device does not offer it.</param>
public sealed record Check(string Name, Action<Bench> Run);

/// <summary>A device under test.</summary>
/// <param name="Name">Its name in reports.</param>
/// <param name="CreateBackend">Makes the backend.</param>
/// <param name="Options">How its device is opened.</param>
public sealed record Leaf(string Name, Func<IBackend> CreateBackend, DeviceOptions Options);

/// <summary>A device breaks the contract.</summary>
public sealed class ConformanceException(string message) : Exception(message);

/// <summary>The device does not offer what a check is about, and its capabilities say so.</summary>
public sealed class NotOfferedException(string what) : Exception(what);

/// <summary>Runs one check on a freshly opened device.</summary>
public static class CheckRunner
{
    /// <summary>Opens the device, runs the check and makes sure that nothing stays reserved.</summary>
    public static void Run(Leaf leaf, Check check)
    {
        var bench = new Bench(leaf, check.Name);
        try
        {
            check.Run(bench);
        }
        catch
        {
            bench.Abandon();
            throw;
        }

        bench.Close();
    }
}
