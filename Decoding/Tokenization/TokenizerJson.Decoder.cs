namespace Portable.Decoding.Tokenization;

// The way back from tokens to text.
internal static partial class TokenizerJson
{
    private sealed class DecoderState
    {
        /// <summary>Whether all text is one token by now, which a stream gets in parts.</summary>
        public bool Fused { get; set; }

        public bool ByteLevel { get; set; }

        public bool ByteFallback { get; set; }

        /// <summary>How many characters one may become at most.</summary>
        public long Growth { get; set; } = 1;
    }

    private static void ReadDecoder(JsonField node, List<DecoderStageFactory> stages, DecoderState state)
    {
        switch (node["type"].Text())
        {
            case "Sequence":
                foreach (JsonField part in node["decoders"].Items())
                    ReadDecoder(part, stages, state);
                break;
            case "ByteLevel":
                RefuseFused(node, state);
                stages.Add((next, _) => new ByteLevelDecoder(next));
                (state.ByteLevel, state.Fused) = (true, true);
                break;
            case "ByteFallback":
                RefuseFused(node, state);
                stages.Add((next, whole) => new ByteFallbackDecoder(next, whole));
                state.ByteFallback = true;
                break;
            case "Fuse":
                stages.Add((next, _) => new FuseDecoder(next));
                state.Fused = true;
                break;
            case "Replace":
                TextPattern pattern = ReadPattern(node["pattern"]);
                string content = node["content"].Text();
                if (pattern.Literal is not { Length: 1 })
                    RefuseFused(node, state);
                state.Growth *= Math.Max(1, content.Length);
                if (state.Growth > 4096)
                    throw Unsupported(node, "a decoder of this growth", "it makes more than 4096 characters of one");
                stages.Add((next, _) => new ReplaceDecoder(next, pattern, content));
                break;
            case "Strip":
                string strip = node["content"].Text();
                if (strip.Length != 1)
                    throw Unsupported(node["content"], "a Strip of more than one character", "one is expected");
                int start = node["start"].Integer(0, 1 << 16), stop = node["stop"].Integer(0, 1 << 16);
                stages.Add((next, _) => new StripDecoder(next, strip[0], start, stop));
                break;
            case "Metaspace":
                (char mark, PrependScheme prepend) = ReadMetaspace(node);
                stages.Add((next, _) => new MetaspaceDecoder(next, mark, prepend != PrependScheme.Never));
                break;
            case "WordPiece":
                RefuseFused(node, state);
                string prefix = node["prefix"].Text("##");
                bool cleanup = node["cleanup"].Flag(whenAbsent: true);
                stages.Add((next, _) => new WordPieceDecoder(next, prefix, cleanup));
                break;
            case var type:
                throw Unsupported(node, $"the decoder {type}", "it is not known");
        }

        if (stages.Count > 100)
            throw node.Bad("more than 100 steps");
    }

    private static void RefuseFused(JsonField node, DecoderState state)
    {
        if (state.Fused)
            throw Unsupported(node, $"the decoder {node["type"].Text()} behind one that joins all tokens", "it can't be streamed");
    }
}
