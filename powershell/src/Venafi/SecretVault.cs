using System.Collections;
using System.Management.Automation;

namespace TokenKit;

/// <summary>The vault of sessions, kept by the module Microsoft.PowerShell.SecretManagement.</summary>
internal static class SecretVault
{
    internal const string Name = "VenafiPS";

    private const string Prelude = """
        param($name, $vault, $secret, $metadata)
        if (-not (Get-Module Microsoft.PowerShell.SecretManagement)) {
            if (-not (Get-Module Microsoft.PowerShell.SecretManagement -ListAvailable)) {
                throw 'The module Microsoft.PowerShell.SecretManagement is missing. Install it, and a vault: Install-Module Microsoft.PowerShell.SecretManagement, Microsoft.PowerShell.SecretStore'
            }
            Import-Module Microsoft.PowerShell.SecretManagement -ErrorAction Stop
        }
        if (-not (Get-SecretVault -Name $vault -ErrorAction Ignore)) {
            throw "There is no vault '$vault'. Register one: Register-SecretVault -Name $vault -ModuleName Microsoft.PowerShell.SecretStore"
        }

        """;

    /// <summary>Keeps <paramref name="secret"/>, with what is not secret beside it.</summary>
    /// <exception cref="FailureException">There is no vault, or it refuses.</exception>
    internal static void Write(PSCmdlet cmdlet, string name, object secret, Hashtable metadata) =>
        Run(cmdlet, "Set-Secret -Name $name -Vault $vault -Secret $secret -Metadata $metadata -ErrorAction Stop", name, secret, metadata);

    /// <summary>Reads what was kept.</summary>
    /// <exception cref="FailureException">There is no vault, or nothing of this name in it.</exception>
    internal static (object? Secret, IDictionary Metadata) Read(PSCmdlet cmdlet, string name)
    {
        PSObject? entry = Run(
            cmdlet,
            "@{ Secret = Get-Secret -Name $name -Vault $vault -ErrorAction Stop; Metadata = (Get-SecretInfo -Name $name -Vault $vault -ErrorAction Stop).Metadata }",
            name);
        var content = (Hashtable)entry!.BaseObject;
        var metadata = new Hashtable(StringComparer.OrdinalIgnoreCase);
        if (Secrets.Unwrap(content["Metadata"]) is IEnumerable entries)
        {
            // A read-only dictionary, which is no IDictionary.
            foreach (object item in entries)
            {
                PSObject pair = PSObject.AsPSObject(item);
                metadata[pair.Properties["Key"].Value] = Secrets.Unwrap(pair.Properties["Value"].Value);
            }
        }
        return (Secrets.Unwrap(content["Secret"]), metadata);
    }

    private static PSObject? Run(PSCmdlet cmdlet, string command, string name, params object[] more)
    {
        try
        {
            return cmdlet.InvokeCommand
                .InvokeScript(true, ScriptBlock.Create(Prelude + command), null, [name, Name, .. more])
                .LastOrDefault();
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            throw Failures.Invalid(e.Message, "vault_failed", e);
        }
    }
}
