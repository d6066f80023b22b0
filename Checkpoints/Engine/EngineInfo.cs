namespace Portable.Checkpoints;

/// <summary>What an engine file says of itself.</summary>
/// <param name="Producer">What wrote it.</param>
/// <param name="Layout">The layout of its weights, <see cref="Device.WeightLayout"/> of the devices that can use it.</param>
/// <param name="Source">The checkpoint that it was built from; it need not be there any more.</param>
/// <param name="RebuildCommand">The command that builds it again.</param>
/// <param name="Weights">Number of packed weights.</param>
/// <param name="Bytes">Bytes of the file.</param>
public sealed record EngineInfo(string Producer, string Layout, string Source, string RebuildCommand, int Weights, long Bytes)
{
    private const string Reference = " --numerics reference";

    /// <summary>The options of a build for a mode, each with a blank before it.</summary>
    internal static string Arguments(NumericMode numerics) => numerics == NumericMode.Reference ? Reference : "";

    /// <summary>The command that builds it for another mode.</summary>
    internal string CommandFor(NumericMode numerics) => RebuildCommand.Replace(Reference, "", StringComparison.Ordinal) + Arguments(numerics);
}
