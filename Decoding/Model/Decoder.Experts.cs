namespace Portable.Decoding.Model;

internal sealed partial class Decoder
{
    /// <summary>
    /// The feed-forward of a layer with experts: the router's logits go to the host, which sorts tokens by expert; so the
    /// stream is synchronised once a layer, and a step with experts cannot be captured.
    /// </summary>
    private void Experts(CommandStream stream, DecoderWorkspace workspace, DecoderWeights.Layer layer, DecoderWeights.Experts weights, int tokens)
    {
        ExpertWorkspace own = workspace.Experts!;
        int perToken = config.Experts!.PerToken, pairs = tokens * perToken;
        TensorView hidden = workspace.Hidden.SliceRows(0, tokens), scratch = workspace.Normed.SliceRows(0, tokens);
        TensorView input = PreNormed(stream, hidden, layer.FeedForwardNorm, scratch);

        TensorView logits = own.RouterLogits.SliceRows(0, tokens);
        stream.Linear(input, weights.Router, logits, weights.RouterLinearBias);
        stream.Download(logits, own.HostLogits);
        stream.Synchronize();
        own.Router.Route(own.HostLogits.As<float>()[..(int)logits.Length], weights.RouterBias, tokens);
        TensorView offsets = own.Offsets, rows = own.Rows.SliceColumns(0, pairs), places = own.Places.SliceColumns(0, pairs);
        TensorView scales = own.Weights.SliceRows(0, tokens);
        stream.Upload(offsets, own.Router.Offsets);
        stream.Upload(rows, own.Router.Rows[..pairs]);
        stream.Upload(places, own.Router.Places[..pairs]);
        stream.Upload(scales, own.Router.Weights[..pairs]);

        if (weights.GateBias is not null)
            stream.Upload(own.PairExperts.SliceColumns(0, pairs), own.Router.Experts[..pairs]);

        var groups = new ExpertGroups(offsets);
        TensorView sorted = own.Sorted.SliceRows(0, pairs), gate = own.Gate.SliceRows(0, pairs), up = own.Up.SliceRows(0, pairs);
        stream.GatherRows(input, rows, sorted);
        stream.Linear(sorted, weights.Gate, gate, experts: groups);
        stream.Linear(sorted, weights.Up, up, experts: groups);
        AddBiases(stream, own, weights.GateBias, gate);
        AddBiases(stream, own, weights.UpBias, up);
        stream.GatedActivation(gate, up, gate, config.Activation, config.ActivationLimit);
        TensorView branch = own.Branch.SliceRows(0, tokens);
        if (weights is { Shared: { } gated, SharedGate: { } gateWeight })
        {
            TensorView gates = own.SharedGates.SliceRows(0, tokens);
            stream.Linear(input, gateWeight, gates);
            stream.Activation(gates, gates, ActivationKind.Sigmoid);
            stream.Linear(Gated(stream, workspace, input, gated), gated.Down, scratch, gated.DownBias);
            stream.Fill(branch, 0);
            stream.Add(branch, scratch, branch, 1, gates);
        }
        else if (weights.Shared is { } shared)
        {
            stream.Linear(Gated(stream, workspace, input, shared), shared.Down, branch, shared.DownBias);
        }
        else
        {
            stream.Fill(branch, 0);
        }

        // Neither the sorted input nor the normed one is needed any more.
        stream.Linear(gate, weights.Down, sorted, experts: groups);
        AddBiases(stream, own, weights.DownBias, sorted);
        for (int k = 0; k < perToken; k++)
        {
            stream.GatherRows(sorted, places.SliceColumns(k * tokens, tokens), scratch);
            stream.Add(branch, scratch, branch, 1, scales.SliceColumns(k, 1));
        }

        AddBranch(stream, hidden, branch, layer.FeedForwardPostNorm);
    }

    /// <summary>Adds to each pair of token and expert the bias of the expert.</summary>
    private static void AddBiases(CommandStream stream, ExpertWorkspace own, TensorView? biases, TensorView output)
    {
        if (biases is not { } table)
            return;
        TensorView rows = own.Biases.SliceRows(0, output.Rows).SliceColumns(0, output.Columns);
        stream.GatherRows(table, own.PairExperts.SliceColumns(0, output.Rows), rows);
        stream.Add(output, rows, output);
    }
}
