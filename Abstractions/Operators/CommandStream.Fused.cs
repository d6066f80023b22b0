namespace Portable;

public abstract partial class CommandStream
{
    /// <summary>
    /// The start of an attention block: norm, stacked q/k/v projection, norm of query and key heads, rope, KV write.
    /// Leaves the queries in the first columns of the output. A device overrides it to be faster; this one composes
    /// primitives.
    /// </summary>
    public virtual void AttentionInput(in AttentionInputArguments arguments)
    {
        AttentionParameters attention = arguments.Attention;
        int queries = attention.QueryHeads * attention.HeadSize, keys = attention.KeyHeads * attention.HeadSize;
        int values = attention.KeyHeads * attention.ValueHeadSize;
        RmsNorm(arguments.Hidden, arguments.NormWeight, arguments.Normed, arguments.Epsilon);
        Linear(arguments.Normed, arguments.Qkv, arguments.Output, arguments.Bias);
        TensorView query = arguments.Output.SliceColumns(0, queries);
        TensorView key = arguments.Output.SliceColumns(queries, keys);
        if (arguments.QueryNorm is { } queryNorm)
            RmsNorm(query, queryNorm, query, arguments.Epsilon);
        if (arguments.KeyNorm is { } keyNorm)
            RmsNorm(key, keyNorm, key, arguments.Epsilon);
        if (arguments.Rope is { } rope)
        {
            Rope(query, attention.HeadSize, rope);
            Rope(key, attention.HeadSize, rope);
        }

        KvWrite(key, arguments.Output.SliceColumns(queries + keys, values), arguments.Cache, arguments.Layer, arguments.Slots);
    }

    /// <summary>
    /// The start of a gated feed-forward block: norm, stacked gate/up projection, act(gate) * up. A device overrides
    /// it to be faster; this one composes primitives.
    /// </summary>
    public virtual void FeedForwardInput(in FeedForwardInputArguments arguments)
    {
        int width = arguments.Output.Columns;
        RmsNorm(arguments.Hidden, arguments.NormWeight, arguments.Normed, arguments.Epsilon);
        Linear(arguments.Normed, arguments.GateUp, arguments.Projected, arguments.Bias);
        GatedActivation(
            arguments.Projected.SliceColumns(0, width), arguments.Projected.SliceColumns(width, width), arguments.Output, arguments.Activation);
    }
}
