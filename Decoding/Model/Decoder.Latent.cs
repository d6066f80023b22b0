using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

internal sealed partial class Decoder
{
    /// <summary>
    /// From the residual stream through latent vectors to queries in the workspace and keys and values, expanded to all heads, in the cache.
    /// The part of keys that rotates is one for all heads.
    /// </summary>
    private void LatentInput(
        CommandStream stream, DecoderWorkspace workspace, KvCache cache, int index, DecoderWeights.LatentInput latentWeights, RopeArguments rope, int tokens)
    {
        LatentAttention latent = config.Latent!;
        LatentWorkspace own = workspace.Latent!;
        TensorView hidden = workspace.Hidden.SliceRows(0, tokens), down = own.Down.SliceRows(0, tokens);
        TensorView query = workspace.Qkv.SliceRows(0, tokens).SliceColumns(0, config.QuerySize);
        stream.Linear(PreNormed(stream, hidden, weights.Layers[index].AttentionNorm, workspace.Normed.SliceRows(0, tokens)), latentWeights.Down, down);

        int at = latentWeights.QueryUp is null ? config.QuerySize : latent.QueryRank;
        TensorView first = down.SliceColumns(0, at);
        if (latentWeights.QueryUp is { } queryUp)
        {
            stream.RmsNorm(first, latentWeights.QueryNorm!.Value, first, config.NormEpsilon);
            stream.Linear(first, queryUp, query);
        }
        else
        {
            stream.Copy(first, query);
        }

        stream.Rope(query, config.HeadSize, rope);
        TensorView vector = down.SliceColumns(at, latent.KeyRank), shared = down.SliceColumns(at + latent.KeyRank, latent.RopeSize);
        stream.RmsNorm(vector, latentWeights.KeyNorm, vector, config.NormEpsilon);
        stream.Rope(shared, latent.RopeSize, rope);

        int rest = config.HeadSize - latent.RopeSize;
        TensorView parts = own.KeyParts.SliceRows(0, tokens), keys = own.Keys.SliceRows(0, tokens), values = own.Values.SliceRows(0, tokens);
        stream.Linear(vector, latentWeights.KeyUp, parts);
        stream.Linear(vector, latentWeights.ValueUp, values);
        TensorView heads = keys.Reshape(tokens * config.QueryHeads, config.HeadSize);
        stream.Copy(parts.Reshape(tokens * config.QueryHeads, rest), heads.SliceColumns(latent.RopeSize, rest));
        stream.GatherRows(shared, own.HeadRows.SliceColumns(0, heads.Rows), heads.SliceColumns(0, latent.RopeSize));
        stream.KvWrite(keys, values, cache, config.CacheLayer(index), workspace.Slots.SliceColumns(0, tokens));
    }
}
