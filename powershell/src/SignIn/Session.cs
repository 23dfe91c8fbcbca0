using System.Management.Automation;
using System.Management.Automation.Host;

namespace TokenKit;

/// <summary>Whether somebody is there who could sign in.</summary>
internal static class Session
{
    /// <summary>Variables that build servers, runbooks and functions set; each names the place.</summary>
    private static readonly (string Variable, string Place)[] Unattended =
    [
        ("TF_BUILD", "Azure Pipelines"),
        ("GITHUB_ACTIONS", "GitHub Actions"),
        ("GITLAB_CI", "GitLab CI"),
        ("JENKINS_URL", "Jenkins"),
        ("TEAMCITY_VERSION", "TeamCity"),
        ("BUILDKITE", "Buildkite"),
        ("CODEBUILD_BUILD_ID", "AWS CodeBuild"),
        ("AUTOMATION_ASSET_ACCOUNTID", "Azure Automation"),
        ("FUNCTIONS_WORKER_RUNTIME", "Azure Functions"),
        ("AWS_LAMBDA_FUNCTION_NAME", "AWS Lambda"),
        // Last: the services above set it, too, and have a name of their own.
        ("CI", "a build server"),
    ];

    /// <summary>Why nobody can be expected to sign in here, or <c>null</c>.</summary>
    internal static string? WhyUnattended(PSHost host)
    {
        (string variable, string place) = Unattended.FirstOrDefault(entry => IsSet(entry.Variable));
        return place is not null ? $"the variable {variable} says that this is {place}"
            : !Environment.UserInteractive ? "this process has no desktop"
            : !CanAsk(host) ? "PowerShell runs without a user (-NonInteractive, a job, or a host that cannot ask)"
            : null;
    }

    /// <summary>
    /// Whether the host would ask questions. It says so by the way it refuses one that has no answers, before
    /// anything is shown. A host at the other end of a connection is not tried: a job would wait for it.
    /// </summary>
    private static bool CanAsk(PSHost host)
    {
        if (host.Name == "ServerRemoteHost")
        {
            return true;
        }
        try
        {
            host.UI.PromptForChoice("", "", null, 0);
            return true;
        }
        catch (Exception e)
        {
            return e is not (HostException or PSInvalidOperationException);
        }
    }

    private static bool IsSet(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value && value is not ("0" or "false" or "False" or "FALSE");
}
