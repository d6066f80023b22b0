using System.Globalization;

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

    /// <summary>Bits that the output matrix was rounded to; null where it was not.</summary>
    public int? HeadBits { get; init; }

    /// <summary>The mode that it was built for.</summary>
    internal NumericMode Numerics => RebuildCommand.Contains(Reference, StringComparison.Ordinal) ? NumericMode.Reference : NumericMode.Fast;

    /// <summary>The options of a build, each with a blank before it.</summary>
    internal static string Arguments(NumericMode numerics, int? headBits) =>
        (numerics == NumericMode.Reference ? Reference : "") + (headBits is { } bits ? string.Create(CultureInfo.InvariantCulture, $" --head-bits {bits}") : "");

    /// <summary>The command that builds it for another mode or with another output matrix.</summary>
    internal string CommandFor(NumericMode numerics, int? headBits)
    {
        string now = Arguments(Numerics, HeadBits);
        return (now.Length == 0 ? RebuildCommand : RebuildCommand.Replace(now, "", StringComparison.Ordinal)) + Arguments(numerics, headBits);
    }
}
