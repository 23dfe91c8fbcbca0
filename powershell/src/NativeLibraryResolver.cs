using System.Management.Automation;
using System.Runtime.InteropServices;

using TokenKit.Native;

namespace TokenKit;

/// <summary>
/// Finds the native library beside the module, in <c>runtimes/&lt;rid&gt;/native</c>, and loads it on first use.
/// </summary>
internal static class NativeLibraryResolver
{
    /// <summary>Environment variable that names another library file, for those who develop TokenKit.</summary>
    internal const string FileVariable = "TOKENKIT_LIBRARY";

    private static readonly object Gate = new();
    private static IntPtr library;
    private static TokenClient? client;

    /// <summary>
    /// The client of this process: its worker threads and connections, shared by all runspaces. It lives as long
    /// as the process, so that the module can be removed and imported again at any time.
    /// </summary>
    /// <exception cref="FailureException">The library is missing or cannot be used.</exception>
    internal static TokenClient Client
    {
        get
        {
            lock (Gate)
            {
                return client ??= Failures.Guard(() =>
                {
                    Load();
                    return TokenClient.Create();
                });
            }
        }
    }

    private static void Load()
    {
        if (library != IntPtr.Zero)
        {
            return;
        }
        string path = Locate();
        if (!File.Exists(path))
        {
            throw Failures.Library(
                "native_library_missing",
                ErrorCategory.ObjectNotFound,
                $"TokenKit's native library for {RuntimeIdentifier} is missing: {path}.",
                "Install a release of TokenKit that supports this platform, or build it here with ./build.sh (on Windows ./build.ps1).");
        }
        try
        {
            library = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw Failures.Library(
                "native_library_unusable",
                ErrorCategory.InvalidData,
                $"TokenKit's native library {path} cannot be loaded on {RuntimeIdentifier}: {e.Message.ReplaceLineEndings(" ").Trim()}",
                "Build it for this platform with ./build.sh (on Windows ./build.ps1).");
        }
        NativeLibrary.SetDllImportResolver(
            typeof(NativeLibraryResolver).Assembly,
            static (name, _, _) => name == Interop.NativeLib ? library : IntPtr.Zero);
    }

    private static string Locate()
    {
        if (Environment.GetEnvironmentVariable(FileVariable) is { Length: > 0 } file)
        {
            return Path.GetFullPath(file);
        }
        string module = Path.GetDirectoryName(typeof(NativeLibraryResolver).Assembly.Location) ?? AppContext.BaseDirectory;
        return Path.Combine(module, "runtimes", RuntimeIdentifier, "native", FileName);
    }

    private static string FileName =>
        OperatingSystem.IsWindows() ? "tokenkit.dll" : OperatingSystem.IsMacOS() ? "libtokenkit.dylib" : "libtokenkit.so";

    private static string RuntimeIdentifier
    {
        get
        {
            string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : IsMusl ? "linux-musl" : "linux";
            return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        }
    }

    /// <summary>Whether this process runs on musl: the identifier of the .NET runtime itself says so.</summary>
    private static bool IsMusl =>
        RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)
        || RuntimeInformation.RuntimeIdentifier.StartsWith("alpine", StringComparison.Ordinal);
}
