using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// Cuts pixels into normalised patches in the order that towers take them: blocks of merge x merge patches row by row, inside a block row by row;
/// inside a patch channel, frame, y, x. A still image is the same in every frame of a patch.
/// </summary>
/// <param name="normalisation">The value of every byte.</param>
/// <param name="patch">Pixels of a patch's side.</param>
/// <param name="temporal">Frames of a patch.</param>
/// <param name="merge">Patches of a block's side.</param>
internal sealed class PatchCutter(NormalisationTable normalisation, int patch, int temporal, int merge)
{
    /// <summary>Values of one patch.</summary>
    public int PatchLength => 3 * temporal * patch * patch;

    /// <summary>Cuts an image whose sides are multiples of patch times merge.</summary>
    /// <param name="image">The pixels.</param>
    /// <param name="patches">[patches, patch length].</param>
    /// <param name="threads">Most threads; -1 for all processors.</param>
    /// <param name="cancellation">Cancels.</param>
    public void Cut(RgbImage image, Memory<float> patches, int threads, CancellationToken cancellation) => Cut([image], patches, threads, cancellation);

    /// <summary>Cuts the frames of one patch in time, all of one size; a single one stands for all.</summary>
    /// <param name="frames">The pixels.</param>
    /// <param name="patches">[patches, patch length].</param>
    /// <param name="threads">Most threads; -1 for all processors.</param>
    /// <param name="cancellation">Cancels.</param>
    public void Cut(IReadOnlyList<RgbImage> frames, Memory<float> patches, int threads, CancellationToken cancellation)
    {
        int rows = frames[0].Height / patch / merge;
        if (threads == 1 || patches.Length < 1 << 16)
        {
            for (int row = 0; row < rows; row++)
                CutBlockRow(frames, row, patches.Span);
            return;
        }

        Parallel.For(0, rows, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, row => CutBlockRow(frames, row, patches.Span));
    }

    // One row of merge blocks: the patches of a block lie together, and so do the blocks of the row.
    private void CutBlockRow(IReadOnlyList<RgbImage> frames, int blockRow, Span<float> patches)
    {
        int columns = frames[0].Width / patch, frame = patch * patch, stride = columns * patch * 3;
        int at = blockRow * merge * columns * PatchLength;
        for (int block = 0; block < columns / merge; block++)
        {
            for (int inside = 0; inside < merge * merge; inside++, at += PatchLength)
            {
                int top = (blockRow * merge + inside / merge) * patch, left = (block * merge + inside % merge) * patch;
                for (int channel = 0; channel < 3; channel++)
                {
                    ReadOnlySpan<float> table = normalisation.Channel(channel);
                    Span<float> first = patches.Slice(at + channel * temporal * frame, frame);
                    for (int t = 0; t < temporal; t++)
                    {
                        Span<float> own = patches.Slice(at + (channel * temporal + t) * frame, frame);
                        if (t >= frames.Count)
                        {
                            first.CopyTo(own);
                            continue;
                        }

                        byte[] pixels = frames[t].Data;
                        for (int y = 0; y < patch; y++)
                        {
                            ReadOnlySpan<byte> row = pixels.AsSpan((top + y) * stride + left * 3, patch * 3);
                            Span<float> to = own.Slice(y * patch, patch);
                            for (int x = 0, sample = channel; x < to.Length; x++, sample += 3)
                                to[x] = table[row[sample]];
                        }
                    }
                }
            }
        }
    }
}
