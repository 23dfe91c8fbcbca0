using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;
using System.Security;

namespace TokenKit;

/// <summary>
/// Where the JWT of a workload comes from each time it is needed: a file that the platform keeps new, or a script.
/// </summary>
internal static class JwtSource
{
    /// <summary>Far more than any JWT, in bytes.</summary>
    private const int MaxFile = 1024 * 1024;

    private const string Code = "invalid_jwt_source";

    /// <summary>Where script blocks were written: each runs where its variables and functions are.</summary>
    private static readonly ConditionalWeakTable<ScriptBlock, Runspace> Homes = [];

    /// <summary>Takes a script block as source, at home in the current runspace.</summary>
    internal static ScriptBlock Take(ScriptBlock script)
    {
        Homes.AddOrUpdate(script, Runspace.DefaultRunspace);
        return script;
    }

    /// <summary>Takes a file as source, by its absolute path.</summary>
    /// <exception cref="FailureException">There is no such place.</exception>
    internal static string Take(PSCmdlet cmdlet, string? path) => Secrets.FilePath(cmdlet, path ?? "", Code);

    /// <summary>Reads the JWT anew.</summary>
    /// <param name="cmdlet">Runs the script, or finds the file.</param>
    /// <param name="source">A script block, or the path of a file.</param>
    /// <exception cref="FailureException">There is none.</exception>
    internal static SecureString Read(PSCmdlet cmdlet, object source) => Secrets.Unwrap(source) switch
    {
        ScriptBlock script => FromScript(cmdlet, script),
        string path => FromFile(Take(cmdlet, path)),
        var other => throw NotFound($"A JWT is read from a file or by a script block, not from a {other?.GetType()}."),
    };

    /// <summary>A JWT given as string, SecureString or PSCredential, without white space around it.</summary>
    /// <exception cref="FailureException">It is something else.</exception>
    internal static SecureString Text(object? value, string parameter)
    {
        using SecretBuffer text = Secrets.Read(value, parameter).Trim();
        return text.ToSecureString();
    }

    private static SecureString FromFile(string path)
    {
        try
        {
            using SecretBuffer text = SecretBuffer.FromFile(path, MaxFile).Trim();
            return text.ToSecureString();
        }
        catch (Exception e) when (Secrets.IsUnreadable(e))
        {
            throw NotFound($"The JWT cannot be read: {e.Message}", e);
        }
    }

    private static SecureString FromScript(PSCmdlet cmdlet, ScriptBlock script)
    {
        // A block of another runspace would be run there, which may be busy, or gone.
        bool isHome = Homes.TryGetValue(script, out Runspace? home) && home == Runspace.DefaultRunspace;
        try
        {
            PSObject? result = cmdlet.InvokeCommand
                .InvokeScript(true, isHome ? script : ScriptBlock.Create(script.ToString()), null)
                .LastOrDefault(item => item is not null);
            return result is null ? throw NotFound("The script for the JWT returned nothing.") : Text(result, "JwtScript");
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            throw NotFound($"The script for the JWT failed: {e.Message}", e);
        }
    }

    private static FailureException NotFound(string message, Exception? cause = null) => Failures.Invalid(message, Code, cause);
}
