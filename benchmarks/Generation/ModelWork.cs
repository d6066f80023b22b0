using Portable.Decoding.Architecture;

namespace Portable.Benchmarks.Generation;

/// <summary>What a decoder without experts or recurrent layers computes and reads: operations are 2 for a multiply-add.</summary>
internal sealed class ModelWork
{
    private readonly DecoderConfig _config;

    public ModelWork(DecoderConfig config)
    {
        if (config.Experts is not null || config.Delta is not null || config.Latent is not null)
            throw new NotSupportedException($"{config.Architecture}: the work of experts, recurrent layers and latent attention is not counted here");
        _config = config;
    }

    /// <summary>Operations of a prompt: the matrices of all layers, and scores and values of the keys that each token sees. One row of the head is nothing beside them.</summary>
    public double Prefill(int tokens) => Matrices(tokens) + Attention(tokens);

    /// <summary>Operations of the matrices of all layers, without embedding and head.</summary>
    public double Matrices(int tokens)
    {
        double weights = ((double)_config.QkvSize * _config.HiddenSize) + ((double)_config.HiddenSize * _config.AttendedSize)
            + (3.0 * _config.FeedForwardSize * _config.HiddenSize);
        return 2 * weights * _config.Layers * tokens;
    }

    /// <summary>Operations of causal attention over a whole prompt.</summary>
    public double Attention(int tokens) => _config.Windows.Sum(window => 2.0 * _config.QueryHeads * (_config.HeadSize + _config.ValueHeadSize) * Pairs(tokens, window));

    /// <summary>Tokens whose keys and values a layer reads on average for a token at the end of a context.</summary>
    public double KeysRead(double context) => _config.Windows.Average(window => window == 0 ? context : Math.Min(context, window));

    private static double Pairs(int tokens, int window)
    {
        double seen = window == 0 ? tokens : Math.Min(tokens, window);
        return (seen * (seen + 1) / 2) + ((tokens - seen) * seen);
    }
}
