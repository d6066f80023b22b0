using System.Text.RegularExpressions;
using Portable.Checkpoints;

namespace Portable.Cli;

/// <summary>Which part of a model each tensor belongs to, by its name; a name of no known kind belongs to "other".</summary>
internal static partial class ModelParts
{
    // The first pattern that matches decides: a tower has attention of its own.
    private static readonly (string Part, Regex Pattern)[] s_parts =
    [
        ("vision", Vision()), ("embedding", Embedding()), ("head", Head()), ("norms", Norms()), ("experts", Experts()), ("attention", Attention()), ("feed-forward", FeedForward()),
    ];

    /// <summary>The parts that a checkpoint has, with their sizes.</summary>
    public static IReadOnlyList<PartReport> Of(Checkpoint checkpoint)
    {
        var order = s_parts.Select(p => p.Part).Append("other").ToList();
        return
        [
            .. checkpoint.Tensors.GroupBy(tensor => s_parts.FirstOrDefault(p => p.Pattern.IsMatch(tensor.Name)).Part ?? "other")
                .OrderBy(group => order.IndexOf(group.Key))
                .Select(group =>
                {
                    long parameters = group.Sum(checkpoint.ParameterCount), bytes = group.Sum(t => t.Bytes);
                    return new PartReport(group.Key, group.Count(), parameters, bytes, parameters == 0 ? null : Math.Round(8.0 * bytes / parameters, 3));
                }),
        ];
    }

    [GeneratedRegex(@"(^|\.)(visual|vision_tower|vision_model|multi_modal_projector|connector|image_newline|mlp1|v|mm)(\.|$)")]
    private static partial Regex Vision();

    [GeneratedRegex(@"(^|\.)(embed_tokens|tok_embeddings|token_embd|wte)\.")]
    private static partial Regex Embedding();

    [GeneratedRegex(@"(^|\.)lm_head\.|^output\.")]
    private static partial Regex Head();

    [GeneratedRegex(@"norm", RegexOptions.IgnoreCase)]
    private static partial Regex Norms();

    [GeneratedRegex(@"expert|_exps|_shexp|router|block_sparse_moe|mlp\.gate\.|ffn_gate_inp|exp_probs")]
    private static partial Regex Experts();

    [GeneratedRegex(@"attn|attention|ssm_")]
    private static partial Regex Attention();

    [GeneratedRegex(@"mlp|ffn|feed_forward")]
    private static partial Regex FeedForward();
}
