namespace Portable.Decoding;

/// <summary>How far loading has come.</summary>
/// <param name="Stage">What is being done: "weights", "vision", "warm-up".</param>
/// <param name="DoneBytes">Bytes of the checkpoint handled so far.</param>
/// <param name="TotalBytes">Bytes of the checkpoint.</param>
public readonly record struct LoadProgress(string Stage, long DoneBytes, long TotalBytes)
{
    /// <summary>From 0 to 1.</summary>
    public double Fraction => TotalBytes == 0 ? 1 : (double)DoneBytes / TotalBytes;
}
