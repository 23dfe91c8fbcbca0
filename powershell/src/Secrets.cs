using System.Management.Automation;
using System.Runtime.InteropServices;
using System.Security;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace TokenKit;

/// <summary>Bytes of a secret that the garbage collector does not copy, wiped on <see cref="Dispose"/>.</summary>
internal sealed class SecretBuffer : IDisposable
{
    private readonly byte[] bytes;
    private int length;

    private SecretBuffer(int capacity) => bytes = GC.AllocateArray<byte>(capacity, pinned: true);

    internal ReadOnlySpan<byte> Span => Memory.Span;

    internal ReadOnlyMemory<byte> Memory => bytes.AsMemory(0, length);

    public void Dispose() => CryptographicOperations.ZeroMemory(bytes);

    /// <summary>Takes what <paramref name="write"/> writes, with as much room as it needs.</summary>
    internal static SecretBuffer FromWriter(int capacity, TryWrite write)
    {
        for (; ; capacity *= 2)
        {
            var buffer = new SecretBuffer(capacity);
            try
            {
                if (write(buffer.bytes, out buffer.length))
                {
                    return buffer;
                }
            }
            catch
            {
                buffer.Dispose();
                throw;
            }
            buffer.Dispose();
        }
    }

    /// <summary>Takes text as UTF-8.</summary>
    internal static SecretBuffer FromText(ReadOnlySpan<char> text)
    {
        var buffer = new SecretBuffer(Encoding.UTF8.GetMaxByteCount(text.Length));
        buffer.length = Encoding.UTF8.GetBytes(text, buffer.bytes);
        return buffer;
    }

    /// <summary>Takes the text of a secure string as UTF-8.</summary>
    internal static unsafe SecretBuffer FromSecureString(SecureString text)
    {
        IntPtr plain = Marshal.SecureStringToGlobalAllocUnicode(text);
        try
        {
            return FromText(new ReadOnlySpan<char>((void*)plain, text.Length));
        }
        finally
        {
            Marshal.ZeroFreeGlobalAllocUnicode(plain);
        }
    }

    /// <summary>Writes blocks of PEM text (RFC 7468), each from its label and content.</summary>
    internal static SecretBuffer FromPem(params ReadOnlySpan<(string Label, ReadOnlyMemory<byte> Content)> blocks)
    {
        int size = 0;
        foreach ((string label, ReadOnlyMemory<byte> content) in blocks)
        {
            size += PemEncoding.GetEncodedSize(label.Length, content.Length) + 1;
        }
        char[] text = GC.AllocateArray<char>(size, pinned: true);
        try
        {
            int length = 0;
            foreach ((string label, ReadOnlyMemory<byte> content) in blocks)
            {
                _ = PemEncoding.TryWrite(label, content.Span, text.AsSpan(length), out int written);
                length += written;
                text[length++] = '\n';
            }
            return FromText(text.AsSpan(0, length));
        }
        finally
        {
            Array.Clear(text);
        }
    }

    /// <summary>Takes the content of a file, of which no more than <paramref name="limit"/> bytes are read.</summary>
    internal static SecretBuffer FromFile(string path, int limit)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var buffer = new SecretBuffer((int)Math.Min(file.Length, limit));
        buffer.length = file.ReadAtLeast(buffer.bytes, buffer.bytes.Length, throwOnEndOfStream: false);
        return buffer;
    }

    /// <summary>Takes bytes that the native library gave, and wipes them where they were.</summary>
    internal static SecretBuffer Take(List<byte> bytes)
    {
        var buffer = new SecretBuffer(bytes.Count) { length = bytes.Count };
        bytes.CopyTo(buffer.bytes);
        CryptographicOperations.ZeroMemory(CollectionsMarshal.AsSpan(bytes));
        return buffer;
    }

    /// <summary>Drops white space around the text, and the byte order mark before it, as files have them.</summary>
    internal SecretBuffer Trim()
    {
        ReadOnlySpan<byte> text = Span.StartsWith("\uFEFF"u8) ? Span[3..] : Span;
        text = text.Trim(" \t\r\n"u8);
        text.CopyTo(bytes);
        length = text.Length;
        return this;
    }

    /// <summary>The text of the bytes, which are UTF-8.</summary>
    internal unsafe SecureString ToSecureString()
    {
        char[] text = GC.AllocateArray<char>(Encoding.UTF8.GetMaxCharCount(length), pinned: true);
        try
        {
            int count = Encoding.UTF8.GetChars(Span, text);
            fixed (char* start = text)
            {
                var result = new SecureString(start, count);
                result.MakeReadOnly();
                return result;
            }
        }
        finally
        {
            Array.Clear(text);
        }
    }

    /// <summary>Writes into <paramref name="destination"/>, or returns <c>false</c> when it is too small.</summary>
    internal delegate bool TryWrite(Span<byte> destination, out int written);
}

/// <summary>Secrets as people hand them over.</summary>
internal static partial class Secrets
{
    /// <summary>What a secret may be, for errors.</summary>
    internal const string Accepted = "A secret is a string, a SecureString or a PSCredential, as Get-Secret returns it";

    /// <summary>What is said of a text that <see cref="MayBeSecret"/>.</summary>
    internal const string NoPath =
        "What was given names no file that can be read, and is not shown, as it may be secret. The text of a key has to be whole: read a PEM file with Get-Content -Raw; write the bytes of a key in Base64 to a file.";

    /// <summary>What something else is, for errors: it is not quoted.</summary>
    internal static string Kind(object? value) => Unwrap(value) switch
    {
        null => "nothing",
        System.Collections.IDictionary => "a hashtable",
        Array => "a list",
        PSCustomObject => "an object",
        ScriptBlock => "a script block",
        var other => other.GetType().Name is var name && "AEIOU".Contains(name[0], StringComparison.Ordinal) ? $"an {name}" : $"a {other.GetType().Name}",
    };

    /// <summary>Whether there is nothing: <c>null</c> or an empty text.</summary>
    internal static bool IsAbsent(object? value) => Unwrap(value) is null or "";

    /// <summary>The object itself, without PowerShell's wrapper.</summary>
    internal static object? Unwrap(object? value) => value is PSObject wrapper ? wrapper.BaseObject : value;

    /// <summary>The text of such a secret, for output that is meant to hold it.</summary>
    /// <exception cref="FailureException">It is something else.</exception>
    internal static string Reveal(object? value, string parameter)
    {
        using SecretBuffer text = Read(value, parameter);
        return Encoding.UTF8.GetString(text.Span);
    }

    /// <summary>The bytes of a secret given as text, secure string, or the password of a credential.</summary>
    /// <exception cref="FailureException">It is something else.</exception>
    internal static SecretBuffer Read(object? value, string parameter) => Unwrap(value) switch
    {
        string text => SecretBuffer.FromText(text),
        SecureString text => Open(text, parameter),
        PSCredential credential => Open(credential.Password, parameter),
        _ => throw Failures.Invalid($"-{parameter}: {char.ToLowerInvariant(Accepted[0])}{Accepted[1..]}, not {Kind(value)}."),
    };

    /// <summary>
    /// Whether a text that names no file may be a key, a line of one, or a token, which no error quotes. Paths end in an
    /// extension, begin as on Windows, or are short words in lower case; Base64, JSON and XML are none of it.
    /// </summary>
    internal static bool MayBeSecret(string path) => !Path().IsMatch(path);

    /// <summary>The absolute path of a file for those whose errors quote it: a text that may be secret has to name one.</summary>
    /// <exception cref="FailureException">There is no such place, with <paramref name="code"/>.</exception>
    internal static string FilePath(PSCmdlet cmdlet, string path, string code)
    {
        bool isShown = !MayBeSecret(path);
        try
        {
            string file = cmdlet.GetUnresolvedProviderPathFromPSPath(path);
            return isShown || File.Exists(file) ? file : throw Failures.Invalid(NoPath, code);
        }
        catch (SessionStateException e)
        {
            throw isShown ? Failures.Invalid(e.Message, code, e) : Failures.Invalid(NoPath, code);
        }
    }

    /// <summary>Whether <paramref name="e"/> says that a file cannot be read, or cannot even have this name.</summary>
    internal static bool IsUnreadable(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;

    private static SecretBuffer Open(SecureString text, string parameter)
    {
        try
        {
            return SecretBuffer.FromSecureString(text);
        }
        catch (ObjectDisposedException e)
        {
            throw Failures.Invalid($"-{parameter}: the SecureString was disposed of before.", cause: e);
        }
    }

    [GeneratedRegex(@"\A(?!eyJ)([^\r\n]*\.[A-Za-z][A-Za-z0-9]{0,5}|([A-Za-z]+:|\.{1,2}|~|\\)\\[^""<>{}\r\n]*|[a-z0-9~:. _-]{0,24}([/\\][a-z0-9. _-]{0,24})*)\z")]
    private static partial Regex Path();
}
