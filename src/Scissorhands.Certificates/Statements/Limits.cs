namespace Scissorhands.Certificates.Statements;

/// <summary>What no certificate proves. Part of every certificate, word by word, so that it travels with what it limits.</summary>
public static class Limits
{
    /// <summary>One sentence each.</summary>
    public static IReadOnlyList<string> DoesNotProve { get; } =
    [
        "that nothing of the forgotten samples is left in the model: the method is approximate, and only what is listed was measured",
        "that the model equals one that was trained without these samples",
        "that a stronger attack than the one measured would not tell which samples were forgotten",
        "that the samples are gone from stores, backups and other copies: the custody list is the signer's word",
        "that other models, or what the earlier model has answered, hold nothing of the samples",
        "that the ids are all that was asked for, or all samples of a person",
        "that the data with the digest is the data the model was first trained on",
        "when anything happened: the times are the signer's own",
        "who the signer is: that is known only to those who got the key's id from somewhere they trust",
    ];
}
