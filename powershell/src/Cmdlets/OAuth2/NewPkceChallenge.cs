using System.Collections.Specialized;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Makes a verifier and its challenge for Proof Key for Code Exchange (RFC 7636).</summary>
[Cmdlet(VerbsCommon.New, "PkceChallenge", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-PkceChallenge.md")]
[OutputType("TokenKit.PkceChallenge")]
[OutputType(typeof(OrderedDictionary))]
public sealed class NewPkceChallenge : TokenKitCmdlet
{
    /// <inheritdoc/>
    private protected override void Process()
    {
        using var call = new Call();
        PkceChallenge pkce = call.Run(operation => operation.MakePkceChallenge(), wire => wire.Unwire());
        WriteObject(Output.Typed(new OrderedDictionary
        {
            ["code_verifier"] = pkce.code_verifier,
            ["code_challenge"] = pkce.code_challenge,
            ["code_challenge_method"] = "S256",
        }, "TokenKit.PkceChallenge"), enumerateCollection: false);
    }
}
